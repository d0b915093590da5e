"""MSAL takes no authority without https, so its requests are led from Entra's host to a server on
loopback, and what they say stays as it is."""

import json
import urllib.error
import urllib.parse
import urllib.request

ENTRA = "https://login.microsoftonline.com"
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

    def __init__(self, origin, tenant, entra=ENTRA):
        self.entra = entra
        self.origin = origin
        self.tenant = tenant

    def get(self, url, headers=None, **_):
        if url.startswith(f"{self.entra}/common/userrealm/"):
            return self.send(url, None, headers)
        base = f"{self.entra}/{self.tenant}"
        assert url == f"{base}/v2.0/.well-known/openid-configuration", url
        document = {
            "issuer": f"{base}/v2.0",
            "authorization_endpoint": f"{base}/oauth2/v2.0/authorize",
            "token_endpoint": f"{base}/oauth2/v2.0/token",
            "device_authorization_endpoint": f"{base}/oauth2/v2.0/devicecode",
        }
        return Response(200, json.dumps(document), {})

    def post(self, url, params=None, data=None, headers=None, **_):
        assert url.startswith(f"{self.entra}/") and not params, url
        return self.send(url, urllib.parse.urlencode(data).encode(), headers)

    def send(self, url, body, headers):
        request = urllib.request.Request(self.origin + url[len(self.entra):], body, headers or {})
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
