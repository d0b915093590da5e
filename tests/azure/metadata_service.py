"""Azure's metadata service at its own address, for a network of one's own.

    python3 metadata_service.py REQUESTS READY

Each request's line is appended to the file REQUESTS; once it listens, that is said in READY, a pipe.
"""

import http.server
import json
import sys
import time

requests, ready = sys.argv[1:]


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        with open(requests, "a") as file:
            file.write(f"{self.requestline} Metadata: {self.headers['Metadata']}\n")
        body = json.dumps({
            "access_token": "token-of-the-metadata-service",
            "expires_in": "3600",
            "expires_on": str(int(time.time()) + 3600),
            "resource": "https://management.azure.com",
            "token_type": "Bearer",
        }).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


server = http.server.HTTPServer(("169.254.169.254", 80), Handler)
with open(ready, "w") as file:
    file.write("ready\n")
server.serve_forever()
