"""Servers on loopback that answer in JSON, in the clear or over TLS."""

import http.server
import json
import os
import pathlib
import ssl
import subprocess
import threading

SYSTEM_ROOTS = pathlib.Path("/etc/ssl/certs/ca-certificates.crt")


class Server(http.server.ThreadingHTTPServer):
    """Runs until the program ends."""
    daemon_threads = True
    # As many may come at once as anything here starts.
    request_queue_size = 1024

    def __init__(self, handler, context=None, port=0):
        super().__init__(("127.0.0.1", port), handler)
        self.origin = f"{'https' if context else 'http'}://127.0.0.1:{self.server_port}"
        if context:
            self.socket = context.wrap_socket(self.socket, server_side=True)
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def handle_error(self, *_):
        """A client that goes away, or was told to, is no news."""


class Handler(http.server.BaseHTTPRequestHandler):
    def body(self):
        return self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()

    def answer(self, status, value, headers=()):
        text = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        for header in headers:
            self.send_header(*header)
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_):
        pass


def certified(place, names="IP:127.0.0.1", env=None):
    """A context with a certificate for these names. `root.pem` in this directory is what vouches for it, and
    `roots.pem` has the system's authorities as well."""
    key, root = str(place / "key.pem"), place / "root.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
         "-nodes", "-days", "2", "-subj", "/CN=loopback", "-addext", f"subjectAltName={names}",
         "-addext", "basicConstraints=critical,CA:FALSE", "-keyout", key, "-out", str(root)],
        env=env, check=True, capture_output=True)
    system = SYSTEM_ROOTS.read_text() if os.path.exists(SYSTEM_ROOTS) else ""
    (place / "roots.pem").write_text(system + root.read_text())
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(root, key)
    return context
