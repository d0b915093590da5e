"""An authorization server on loopback that redeems refresh tokens, counts, and has its troubles."""

import itertools
import threading
import time
import urllib.parse

from loopback import Handler, Server

TENANT = "aaaabbbb-0000-cccc-1111-dddd2222eeee"


class Authority(Server):
    """Knows sign-ins: each is a list of refresh tokens, of which the last one is the newest."""

    def __init__(self, context):
        super().__init__(Endpoint, context)
        self.issuer = f"{self.origin}/{TENANT}/v2.0"
        self.token_endpoint = f"{self.origin}/{TENANT}/oauth2/v2.0/token"
        self.numbers = itertools.count(1)
        self.guard = threading.Lock()
        self.reset()

    def reset(self, rotates=True, latency=0.1):
        """Forgets all sign-ins. Where it `rotates`, a replaced refresh token that comes again ends its
        sign-in (RFC 9700, section 4.14.2); else it goes on being good, as Entra's do."""
        self.rotates, self.latency = rotates, latency
        # What the token endpoint answers with, and for how long it grants.
        self.status, self.life = 200, 3600
        # By the access token: when it ends, and the refresh tokens of its sign-in.
        self.sign_ins, self.issued = [], {}
        self.count()

    def count(self):
        """Begins to count anew."""
        self.requests = self.refreshes = self.sign_in_requests = 0

    def sign_in(self, life):
        """A person has signed in: an access token that lives for so many seconds, and a refresh token."""
        self.sign_ins.append([])
        return self.grant(self.sign_ins[-1], life)

    def grant(self, refresh_tokens, life):
        number = f"{next(self.numbers):06}"
        access_token = f"access-{number}-".ljust(1500, "a")
        refresh_tokens.append(f"refresh-{number}-".ljust(800, "r"))
        self.issued[access_token] = (time.time() + life, refresh_tokens)
        return access_token, refresh_tokens[-1]

    def judge(self, text):
        """Whether a token is in it: one that is good, or one that has ended, by itself or with its sign-in."""
        with self.guard:
            found = [issued for token, issued in self.issued.items() if token in text]
            if any(time.time() < end and sign_in in self.sign_ins for end, sign_in in found):
                return "token"
        return "ended token" if found else None

    def end_tokens(self):
        """No access token from before is good any more; whoever has one is not told."""
        with self.guard:
            self.issued = {token: (0, sign_in) for token, (_, sign_in) in self.issued.items()}

    def redeem(self, form):
        with self.guard:
            self.refreshes += 1
            # The answer takes its time on the way, when all has been decided.
            status, answer = self.decide(form)
        time.sleep(self.latency)
        return status, answer

    def decide(self, form):
        if self.status != 200:
            return self.status, {"error": "temporarily_unavailable"}
        given = form.get("refresh_token")
        sign_in = next((known for known in self.sign_ins if given in known), None)
        if sign_in and self.rotates and given != sign_in[-1]:
            self.sign_ins.remove(sign_in)
            sign_in = None
        if form.get("grant_type") != "refresh_token" or sign_in is None:
            return 400, {"error": "invalid_grant"}
        access_token, refresh_token = self.grant(sign_in, self.life)
        return 200, {"access_token": access_token, "refresh_token": refresh_token,
                     "token_type": "Bearer", "expires_in": self.life, "scope": form.get("scope", "read")}


class Endpoint(Handler):
    def do_GET(self):
        authority = self.server
        authority.requests += 1
        path = self.path.split("?")[0]
        if not path.endswith("/.well-known/openid-configuration"):
            authority.sign_in_requests += "/authorize" in path
            return self.answer(404, {})
        base = authority.token_endpoint.removesuffix("/token")
        return self.answer(200, {
            "issuer": authority.issuer, "authorization_endpoint": f"{base}/authorize",
            "token_endpoint": authority.token_endpoint,
            "device_authorization_endpoint": f"{base}/devicecode",
            "jwks_uri": f"{authority.origin}/keys", "response_types_supported": ["code"],
            "subject_types_supported": ["public"], "id_token_signing_alg_values_supported": ["RS256"],
            "code_challenge_methods_supported": ["S256"],
            "scopes_supported": ["openid", "profile", "offline_access", "read"],
            "grant_types_supported": ["authorization_code", "refresh_token",
                                      "urn:ietf:params:oauth:grant-type:device_code"]})

    def do_POST(self):
        authority = self.server
        authority.requests += 1
        form = dict(urllib.parse.parse_qsl(self.body()))
        if self.path.endswith("/token"):
            status, answer = authority.redeem(form)
            return self.answer(status, answer, [("Retry-After", "1")] if status == 503 else [])
        authority.sign_in_requests += self.path.endswith("/devicecode")
        return self.answer(400, {"error": "invalid_request"})
