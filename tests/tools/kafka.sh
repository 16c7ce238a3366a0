#!/usr/bin/env bash
# An Apache Kafka for tests: one real broker, KRaft. Usage:
#   kafka.sh jars            fetches the broker's jars where they are missing; prints their folder
#   kafka.sh serve FOLDER    a broker of its own on loopback, its files in a new folder below FOLDER
#
# `serve` says `ready` and then answers lines on its standard input, one line each:
#   address       host:port without any security
#   secure        host:port with TLS and SASL/SCRAM-SHA-256 and -512
#   token         host:port with SASL/OAUTHBEARER, in the clear; takes tokens that nobody signed
#   certificate   the file of the authority that `secure` is to be trusted by
#   user          name and password of who may do everything there
#   guest         name and password of who may do nothing there
#   stop, start   of the broker; answers with the word
#   kill          as a power cut would; answers with the word
# When the standard input ends, in whatever way, the broker ends and its files go.
#
# KULANZ_TEST_KAFKA=host:port names a broker to use instead, one without security whose topics may
# be made and deleted; all but `address` is then refused.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
version=$(grep -A1 '<artifactId>kafka_' "$here/kafka/pom.xml" | sed -n 's/.*<version>\(.*\)<.*/\1/p')

jars() {
    local folder="$root/.cache/kafka-$version" fetched major
    if ! command -v java >/dev/null; then
        echo "The broker for the tests needs Java 17 or later." >&2
        echo "On Debian and Ubuntu: sudo apt-get install default-jre-headless" >&2
        return 1
    fi
    major=$(java -version 2>&1 | grep -oE 'version "[0-9]+' | grep -oE '[0-9]+')
    if [ "${major:-0}" -lt 17 ]; then
        echo "The broker for the tests needs Java 17 or later; this is $major" >&2
        return 1
    fi
    if [ ! -d "$folder" ]; then
        if ! command -v mvn >/dev/null; then
            echo "The jars of the broker for the tests are fetched by Maven." >&2
            echo "On Debian and Ubuntu: sudo apt-get install maven" >&2
            return 1
        fi
        echo "Fetching Apache Kafka $version for the tests (43 MB)" >&2
        mkdir -p "$root/.cache"
        fetched=$(mktemp -d "$root/.cache/kafka-XXXXXX")
        if ! mvn --batch-mode --quiet --file "$here/kafka/pom.xml" dependency:copy-dependencies \
            -DincludeScope=runtime "-DoutputDirectory=$fetched/jars" </dev/null >&2; then
            rm -rf "$fetched"
            echo "Apache Kafka could not be fetched" >&2
            return 1
        fi
        # Whole or not at all; another one may have been faster.
        mv -T "$fetched/jars" "$folder" 2>/dev/null || [ -d "$folder" ]
        rm -rf "$fetched"
    fi
    echo "$folder"
}

# In a subshell of its own: `exec`, so that the pid is that of the program.
run_java() {
    exec java -Xms64m -Xmx256m -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -XX:-UsePerfData \
        -Dorg.slf4j.simpleLogger.defaultLogLevel=warn -cp "$jars/*" "$@"
}

configure() {
    ports=()
    while [ ${#ports[@]} -lt 4 ]; do
        local port=$((20000 + RANDOM % 12000))
        # Somebody answers there already, or we have it.
        (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null && continue
        [[ " ${ports[*]} " == *" $port "* ]] || ports+=("$port")
    done
    local oauth=org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule
    local scram=org.apache.kafka.common.security.scram.ScramLoginModule
    cat >"$folder/properties" <<END
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:${ports[1]}
controller.listener.names=CONTROLLER
listeners=PLAIN://127.0.0.1:${ports[0]},CONTROLLER://127.0.0.1:${ports[1]},SECURE://127.0.0.1:${ports[2]},TOKEN://127.0.0.1:${ports[3]}
advertised.listeners=PLAIN://127.0.0.1:${ports[0]},SECURE://127.0.0.1:${ports[2]},TOKEN://127.0.0.1:${ports[3]}
listener.security.protocol.map=PLAIN:PLAINTEXT,CONTROLLER:PLAINTEXT,SECURE:SASL_SSL,TOKEN:SASL_PLAINTEXT
inter.broker.listener.name=PLAIN
listener.name.secure.sasl.enabled.mechanisms=SCRAM-SHA-256,SCRAM-SHA-512
listener.name.token.sasl.enabled.mechanisms=OAUTHBEARER
listener.name.token.oauthbearer.sasl.jaas.config=$oauth required unsecuredLoginStringClaim_sub="nobody";
listener.name.secure.scram-sha-256.sasl.jaas.config=$scram required;
listener.name.secure.scram-sha-512.sasl.jaas.config=$scram required;
ssl.keystore.type=PEM
ssl.keystore.location=$folder/keystore.pem
authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
super.users=User:ANONYMOUS;User:kulanz
log.dirs=$folder/data
auto.create.topics.enable=false
offsets.topic.num.partitions=1
offsets.topic.replication.factor=1
transaction.state.log.num.partitions=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
group.initial.rebalance.delay.ms=0
log.index.size.max.bytes=65536
log.cleaner.enable=false
message.max.bytes=4194304
replica.fetch.max.bytes=4194304
END
}

up() {
    (exec 3<>"/dev/tcp/127.0.0.1/${ports[0]}") 2>/dev/null
}

start() {
    run_java kafka.Kafka "$folder/properties" </dev/null >>"$folder/log" 2>&1 &
    pid=$!
    local attempt
    for attempt in $(seq 600); do
        # The listeners open once the broker takes requests.
        up && return
        kill -0 "$pid" 2>/dev/null || break
        sleep 0.1
    done
    tail -50 "$folder/log" >&2
    return 1
}

halt() {
    if [ -n "${pid:-}" ]; then
        kill "-$1" "$pid" 2>/dev/null || true
        wait "$pid" 2>/dev/null || true
        pid=""
    fi
}

end() {
    trap - EXIT
    halt KILL
    rm -rf "$folder"
}

own_broker() {
    jars=$(jars)
    mkdir -p "$1"
    folder=$(mktemp -d "$(cd "$1" && pwd)/kafka-XXXXXX")
    trap end EXIT
    trap 'exit 1' INT TERM
    password=$(head -c 18 /dev/urandom | base64 | tr '+/' 'ab')
    openssl req -x509 -newkey rsa:2048 -nodes -days 2 \
        -subj /CN=localhost -addext subjectAltName=DNS:localhost,IP:127.0.0.1 \
        -keyout "$folder/key.pem" -out "$folder/certificate.pem" >"$folder/openssl.log" 2>&1 ||
        { cat "$folder/openssl.log" >&2; exit 1; }
    cat "$folder/key.pem" "$folder/certificate.pem" >"$folder/keystore.pem"
    local attempt
    for attempt in 1 2 3; do
        configure
        rm -rf "$folder/data"
        # With `=`, since an id may begin with a dash.
        (run_java kafka.tools.StorageTool format --config "$folder/properties" \
            "--cluster-id=$(head -c 16 /dev/urandom | base64 | tr '+/' '-_' | tr -d =)" \
            --add-scram "SCRAM-SHA-256=[name=kulanz,password=$password]" \
            --add-scram "SCRAM-SHA-512=[name=kulanz,password=$password]" \
            --add-scram "SCRAM-SHA-256=[name=guest,password=$password]" \
            </dev/null >"$folder/format.log" 2>&1) || { cat "$folder/format.log" >&2; exit 1; }
        # Another one may have taken a port.
        start && return
    done
    exit 1
}

serve() {
    [ -n "${KULANZ_TEST_KAFKA:-}" ] || own_broker "$1"
    echo ready
    local what
    while read -r what; do
        if [ -n "${KULANZ_TEST_KAFKA:-}" ] && [ "$what" != address ]; then
            echo "refused: the broker is not ours"
            continue
        fi
        case "$what" in
        address) echo "${KULANZ_TEST_KAFKA:-127.0.0.1:${ports[0]:-}}" ;;
        secure) echo "127.0.0.1:${ports[2]}" ;;
        token) echo "127.0.0.1:${ports[3]}" ;;
        certificate) echo "$folder/certificate.pem" ;;
        user) echo "kulanz $password" ;;
        guest) echo "guest $password" ;;
        start) start && echo start ;;
        stop) halt TERM && echo stop ;;
        kill) halt KILL && echo kill ;;
        *) echo "refused: what is $what?" ;;
        esac
    done
}

case "${1:-}" in
jars) jars ;;
serve) serve "${2:?a folder}" ;;
*)
    echo "usage: kafka.sh jars | serve FOLDER" >&2
    exit 2
    ;;
esac
