"""MSAL Python signs in at an authority on loopback: with a browser's code, with a device code, and then
refreshes. The authority writes down what it is asked; this prints the address of the page.

    python3 sign_in.py ORIGIN TENANT

MSAL takes no authority without https, so the requests are led from Entra's host to ORIGIN, and what
they say stays as it is.
"""

import json
import sys
import urllib.error
import urllib.parse
import urllib.request

import msal

ENTRA = "https://login.microsoftonline.com"
origin, tenant = sys.argv[1:]
opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class Response:
    def __init__(self, status_code, text, headers):
        self.status_code = status_code
        self.text = text
        self.headers = headers

    def raise_for_status(self):
        if self.status_code >= 400:
            raise RuntimeError(f"{self.status_code}: {self.text}")


class Loopback:
    """What MSAL sends requests with."""

    def get(self, url, **_):
        base = f"{ENTRA}/{tenant}"
        assert url == f"{base}/v2.0/.well-known/openid-configuration", url
        document = {
            "issuer": f"{base}/v2.0",
            "authorization_endpoint": f"{base}/oauth2/v2.0/authorize",
            "token_endpoint": f"{base}/oauth2/v2.0/token",
            "device_authorization_endpoint": f"{base}/oauth2/v2.0/devicecode",
        }
        return Response(200, json.dumps(document), {})

    def post(self, url, params=None, data=None, headers=None, **_):
        assert url.startswith(f"{ENTRA}/") and not params, url
        body = urllib.parse.urlencode(data).encode()
        request = urllib.request.Request(origin + url[len(ENTRA):], body, headers or {})
        try:
            answer = opener.open(request, timeout=30)
        except urllib.error.HTTPError as error:
            answer = error
        return Response(answer.status, answer.read().decode(), dict(answer.headers))

    def close(self):
        pass


def checked(answer):
    assert "error" not in answer, answer
    return answer


application = msal.PublicClientApplication(
    "cli",
    authority=f"{ENTRA}/{tenant}",
    instance_discovery=False,
    client_capabilities=["CP1"],
    http_client=Loopback(),
)
scopes = ["User.Read"]
flow = application.initiate_auth_code_flow(
    scopes,
    redirect_uri="http://localhost",
    login_hint="ada@example.test",
    domain_hint="contoso.example",
    prompt="select_account",
)
print(flow["auth_uri"])
answer = {"code": "the-code-of-this-page", "state": flow["state"]}
checked(application.acquire_token_by_auth_code_flow(flow, answer))
flow = checked(application.initiate_device_flow(scopes))
checked(application.acquire_token_by_device_flow(flow))
account = application.get_accounts("ada@example.test")[0]
checked(application.acquire_token_silent(scopes, account, force_refresh=True))
