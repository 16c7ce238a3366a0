"""An SMS gateway on a free loopback port, for tests. Standard library only.

    gateway.py [moody]

It honours Idempotency-Key: what it took under a key it takes once. It prints its port once it
listens, and ends when its input ends. Words in a message's text make it misbehave:

    [500]            500, nothing taken          [hang]         never answers, nothing taken
    [take-and-500]   takes it, answers 500       [take-and-hang] takes it, never answers
    [take-and-close] takes it, closes            [fail-once]    500 at first, then takes it
    [429]            429, Retry-After: 37        [503]          503, Retry-After as a date
    [410] [422] [401] [402] [408] [409] [302]    just that answer
    [odd]            200 with an answer that is no JSON

When it is moody, half of all messages meet one of these at their first request, by their keys.

GET /taken tells all that was taken, as [{"key", "requests", "body", "authorization"}].
"""

import hashlib
import http.server
import json
import sys
import threading

taken = {}
requests = {}
moods = ["take-and-hang", "take-and-close", "take-and-500", "fail-once"]
moody = sys.argv[1:] == ["moody"]
lock = threading.Lock()
forever = threading.Event()


class Gateway(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def answer(self, status, body=b"", **headers):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        with lock:
            rows = [dict(row, key=key, requests=requests[key]) for key, row in taken.items()]
        self.answer(200, json.dumps(rows).encode())

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        key = self.headers["Idempotency-Key"]
        text = json.dumps(body, ensure_ascii=False)
        with lock:
            requests[key] = requests.get(key, 0) + 1
            first = requests[key] == 1
        if moody:
            drawn = hashlib.sha256(key.encode()).digest()[0] % 8
            text += f"[{moods[drawn]}]" if drawn < len(moods) else ""
        for status in (410, 422, 401, 402, 408, 409, 302, 500):
            if f"[{status}]" in text:
                return self.answer(status, f"refused: {body}".encode(), Location="/elsewhere")
        if "[429]" in text:
            return self.answer(429, Retry_After="37")
        if "[503]" in text:
            # 90 seconds after the answer's own date, which is set by hand below.
            self.send_response_only(503)
            self.send_header("Date", "Wed, 18 Mar 2026 10:00:00 GMT")
            self.send_header("Retry-After", "Wed, 18 Mar 2026 10:01:30 GMT")
            self.send_header("Content-Length", "0")
            return self.end_headers()
        if "[hang]" in text:
            forever.wait()
        if "[fail-once]" in text and first:
            return self.answer(500)
        with lock:
            row = {"body": body, "authorization": self.headers["Authorization"]}
            taken.setdefault(key, row)
        if "[take-and-500]" in text and first:
            return self.answer(500)
        if "[take-and-hang]" in text and first:
            forever.wait()
        if "[take-and-close]" in text and first:
            self.close_connection = True
            return self.connection.shutdown(2)
        if "[odd]" in text:
            return self.answer(200, b"<ok/>")
        return self.answer(201, json.dumps({"message": {"id": f"sms-{key}"}}).encode())


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Gateway)
server.daemon_threads = True
threading.Thread(target=server.serve_forever, daemon=True).start()
print(server.server_port, flush=True)
sys.stdin.read()
