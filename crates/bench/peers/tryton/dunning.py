"""Receivables a second that a dunning run of Tryton generates and processes to its first level.

usage: dunning.py POSTGRES_URL RECEIVABLES, with the Python that run.sh beside this file sets up.

Each party owes one receivable, five days overdue, under a procedure of three levels. Measured is
what the two wizards of a dunning run do, commits included: account.dunning.create generates the
due dunnings, account.dunning.process takes them to their level. Only account_dunning is activated:
neither a letter nor an e-mail nor a fee, each of which would make it far slower. The modules are
loaded before the clock starts, PostgreSQL is as its server is set up.
"""
import datetime as dt
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from decimal import Decimal
from urllib.parse import urlsplit

TODAY = dt.date.today()
MATURITY = TODAY - dt.timedelta(5)
LEVELS = [3, 14, 28]  # Days after maturity.


def say(text):
    print(f"tryton: {text}", file=sys.stderr, flush=True)


def at(url, database):
    "The same server with another database; trytond knows one of the two schemes of a URL."
    return urlsplit(url)._replace(scheme="postgresql", path="/" + database, query="").geturl()


def sql(url, *statements):
    "Runs the statements, each in its own transaction; the rows of the last."
    import psycopg
    with psycopg.connect(url, autocommit=True, connect_timeout=10) as connection:
        cursor = connection.cursor()
        for statement in statements:
            cursor.execute(statement)
        return cursor.fetchall() if cursor.description else []


def install(url):
    "An empty database of Tryton with the module of dunnings."
    program = os.path.join(os.path.dirname(sys.executable), "trytond-admin")
    with tempfile.NamedTemporaryFile("w") as password:
        password.write("bench-only")
        password.flush()
        done = subprocess.run(
            [program, "-d", urlsplit(url).path[1:], "--email", "admin@example.com",
             "-u", "account_dunning", "--activate-dependencies"],
            env={**os.environ, "TRYTONPASSFILE": password.name}, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"tryton: its database could not be set up:\n{done.stdout}{done.stderr}")


def template(url):
    "A company with its accounts, the procedure, and one party that owes one posted receivable."
    from proteus import Model, config
    from trytond.modules.account.tests.tools import (
        create_chart, create_fiscalyear, get_accounts)
    from trytond.modules.company.tests.tools import create_company
    from trytond.modules.currency.tests.tools import get_currency
    context = config.set_trytond(url)
    create_company(currency=get_currency("EUR"))
    context._context = Model.get("res.user").get_preferences(True, context.context)
    create_chart()
    year = create_fiscalyear()
    year.click("create_period")
    period, = [one for one in year.periods if one.start_date <= TODAY <= one.end_date]
    accounts = get_accounts()
    journal, = Model.get("account.journal").find([("code", "=", "REV")])
    procedure = Model.get("account.dunning.procedure")(name="Standard")
    for sequence, days in enumerate(LEVELS, 1):
        procedure.levels.new(sequence=sequence, overdue=dt.timedelta(days))
    procedure.save()
    party = Model.get("party.party")(name="Kunde 0", dunning_procedure=procedure)
    address, = party.addresses
    address.street, address.postal_code, address.city = "Weg 1", "10115", "Berlin"
    party.contact_mechanisms.new(type="email").value = "kunde0@example.com"
    party.save()
    move = Model.get("account.move")(period=period, journal=journal, date=TODAY)
    move.lines.new(account=accounts["revenue"], credit=Decimal(100))
    move.lines.new(account=accounts["receivable"], debit=Decimal(100), party=party,
                   maturity_date=MATURITY)
    move.save()
    move.click("post")


def multiply(url, receivables):
    """Copies the party and its receivable until there are as many as asked for.

    Every column is copied as Tryton made it, keys are shifted: through Tryton it would take hours.
    """
    (party, move), = sql(url, "SELECT party, move FROM account_move_line WHERE party IS NOT NULL")
    (last_party, last_move), = sql(
        url, "SELECT (SELECT max(id) FROM party_party), (SELECT max(id) FROM account_move)")

    def copied(table, which, changed, rows=1):
        first = f"(SELECT min(id) FROM {table} WHERE {which})"
        last = f"(SELECT max(id) FROM {table})"
        return [
            f"INSERT INTO {table} SELECT (jsonb_populate_record(t, jsonb_build_object('id', "
            f"{last} + (g - 1) * {rows} + (t.id - {first}) + 1, {changed}))).* "
            f"FROM {table} t, generate_series(1, {receivables - 1}) g WHERE {which}",
            f"SELECT setval('{table}_id_seq', {last})"]
    its = f"'party', {last_party} + g"
    statements = copied("party_party", f"id = {party}", "'code', 'K' || g, 'name', 'Kunde ' || g")
    for table in ("party_party_dunning_procedure", "party_address", "party_party_lang",
                  "party_party_account"):
        statements += copied(table, f"party = {party}", its)
    mail = "'k' || g || '@example.com'"
    statements += copied("party_contact_mechanism", f"party = {party}",
                         f"{its}, 'value', {mail}, 'value_compact', {mail}")
    statements += copied("account_move", f"id = {move}", "'number', 'M' || g")
    statements += copied(
        "account_move_line", f"move = {move}", f"'move', {last_move} + g, 'party', "
        f"CASE WHEN t.party IS NULL THEN NULL ELSE {last_party} + g END", 2)
    sql(url, *statements, "VACUUM ANALYZE", "CHECKPOINT")


def generate(pool, transaction):
    "What the wizard account.dunning.create calls."
    pool.get("account.dunning").generate_dunnings(date=TODAY)


def process(pool, transaction):
    "The wizard account.dunning.process itself, over all that was generated."
    ids = [one.id for one in pool.get("account.dunning").search([("state", "=", "draft")])]
    wizard = pool.get("account.dunning.process", type="wizard")
    with transaction.set_context(active_model="account.dunning", active_ids=ids, active_id=ids[0]):
        session, _, _ = wizard.create()
        wizard.execute(session, {"start": {}}, "process")


def run(url):
    "Seconds of each of the two steps, as a worker of Tryton's server would take them."
    from trytond.pool import Pool
    from trytond.transaction import Transaction, TransactionError
    database = urlsplit(url).path[1:]
    Pool.start()
    pool = Pool(database)
    pool.init()
    (user,), = sql(url, "SELECT id FROM res_user WHERE login = 'admin'")
    with Transaction().start(database, user, readonly=True):
        context = pool.get("res.user").get_preferences(context_only=True)
    took = []
    for step in (generate, process):
        begun, extras = time.perf_counter(), {}
        while True:  # The dispatcher of its server tries again like this.
            with Transaction().start(database, user, context=context, **extras) as transaction:
                try:
                    step(pool, transaction)
                    transaction.commit()
                    break
                except TransactionError as error:
                    transaction.rollback()
                    error.fix(extras)
        took.append(time.perf_counter() - begun)
        say(f"{step.__name__} took {took[-1]:.2f} s")
    return took


def verify(url, receivables):
    found = sql(url, "SELECT l.sequence, d.state, count(*), count(DISTINCT d.line) "
                "FROM account_dunning d JOIN account_dunning_level l ON l.id = d.level "
                "GROUP BY 1, 2")
    if found != [(1, "waiting", receivables, receivables)]:
        sys.exit(f"tryton: {receivables} dunnings should wait at level 1, there are (level, "
                 f"state, dunnings, receivables) {found}")


def main(url, receivables):
    database = f"tryton_peer_{os.getpid()}"
    own = at(url, database)
    os.environ["TRYTOND_DATABASE__URI"] = at(url, "")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("tryton: it was stopped"))
    import psycopg
    try:
        sql(url, f"CREATE DATABASE {database} ENCODING 'UTF8' TEMPLATE template0")
    except psycopg.Error as error:
        sys.exit(f"tryton: no database can be made at POSTGRES_URL: {str(error).strip()}")
    try:
        say("setting up a company and its accounts")
        install(own)
        # In a process of its own, so that the one that is measured remembers nothing of it.
        made = subprocess.run([sys.executable, __file__, "--template", own], capture_output=True,
                              text=True)
        if made.returncode:
            sys.exit(f"tryton: the first receivable could not be made:\n{made.stderr}")
        say(f"making {receivables} receivables")
        multiply(own, receivables)
        generate_s, process_s = run(own)
        verify(own, receivables)
    finally:
        sql(url, f"DROP DATABASE {database} WITH (FORCE)")
    print(json.dumps({
        "accounts": receivables, "generate_s": round(generate_s, 3),
        "process_s": round(process_s, 3),
        "per_s": round(receivables / (generate_s + process_s), 1)}))


if __name__ == "__main__":
    if sys.argv[1] == "--template":
        template(sys.argv[2])
    else:
        main(sys.argv[1], int(sys.argv[2]))
