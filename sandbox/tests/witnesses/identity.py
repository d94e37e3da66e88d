"""MSAL as witness of the identity server: every grant, with tokens that MSAL itself verifies.

MSAL refuses authorities without TLS and looks up unknown hosts at Microsoft, so every client is told to trust
the sandbox's CA and to skip instance discovery.
"""

import datetime
import json
import re
import ssl
import subprocess
from urllib.parse import parse_qsl, urlsplit

import jwt
import msal
import requests
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from control import Sandbox

DELEGATED = ["https://outlook.office.com/SMTP.Send"]
APPLICATION = ["https://outlook.office365.com/.default"]


def device_code(sandbox: Sandbox) -> str:
    """A person agrees on another device; later the token is renewed without them."""
    client = public_client(sandbox)
    flow = client.initiate_device_flow(DELEGATED)
    sandbox.post("/devices/approve", {"user_code": flow["user_code"], "user": alice(sandbox)})
    first = token(client.acquire_token_by_device_flow(flow))
    [account] = client.get_accounts()
    assert account["username"] == alice(sandbox), account
    assert client.acquire_token_silent(DELEGATED, account)["access_token"] == first, "MSAL did not cache the token"
    renewed = token(client.acquire_token_silent(DELEGATED, account, force_refresh=True))
    assert renewed != first
    return renewed


def device_code_declined(sandbox: Sandbox) -> None:
    client = public_client(sandbox)
    flow = client.initiate_device_flow(DELEGATED)
    sandbox.post("/devices/decline", {"user_code": flow["user_code"]})
    refused(client.acquire_token_by_device_flow(flow), "authorization_declined")


def authorization_code(sandbox: Sandbox) -> str:
    """A person fills in the pages; MSAL checks state, PKCE, nonce and the id token."""
    client = public_client(sandbox)
    flow = client.initiate_auth_code_flow(DELEGATED, redirect_uri="http://localhost:41999", login_hint=alice(sandbox))
    browser = requests.Session()
    browser.verify = sandbox.ca_file
    page = browser.get(flow["auth_uri"], timeout=30)
    form = {"loginfmt": alice(sandbox), "passwd": sandbox.facts["alice"]["password"]}
    page = submit(browser, page, form)
    if "/consent" in page.text:
        page = submit(browser, page, {"answer": "accept"})
    assert page.status_code == 302, page.text
    answer = dict(parse_qsl(urlsplit(page.headers["location"]).query))
    result = client.acquire_token_by_auth_code_flow(flow, answer)
    verify_signature(sandbox, result["id_token"])
    assert result["id_token_claims"]["preferred_username"] == alice(sandbox), result
    return token(result)


def client_secret(sandbox: Sandbox) -> str:
    return token(confidential_client(sandbox, sandbox.facts["service_client_secret"]).acquire_token_for_client(APPLICATION))


def client_secret_over_oidc(sandbox: Sandbox) -> str:
    """MSAL's way for authorities that are not Microsoft's: it compares the issuer with the authority."""
    client = msal.ConfidentialClientApplication(
        sandbox.facts["service_client_id"],
        client_credential=sandbox.facts["service_client_secret"],
        oidc_authority=f"{sandbox.authority}/v2.0",
        verify=sandbox.ca_file,
    )
    return token(client.acquire_token_for_client(APPLICATION))


def wrong_secret(sandbox: Sandbox) -> None:
    result = confidential_client(sandbox, "wrong").acquire_token_for_client(APPLICATION)
    refused(result, "invalid_client", 7000215)
    assert "not the client secret ID" in result["error_description"], result


def certificate(sandbox: Sandbox) -> str:
    """MSAL signs with PS256 and the SHA-256 thumbprint if it has the certificate."""
    key, certificate = self_made_certificate()
    credential = {"private_key": key, "public_certificate": certificate, "thumbprint": None}
    client = confidential_client(sandbox, credential)
    refused(client.acquire_token_for_client(APPLICATION), "invalid_client", 700027)
    upload(sandbox, certificate)
    return token(client.acquire_token_for_client(APPLICATION))


def certificate_by_sha1_thumbprint(sandbox: Sandbox) -> str:
    """The older form: RS256 and `x5t`."""
    key, certificate = self_made_certificate()
    upload(sandbox, certificate)
    thumbprint = x509.load_pem_x509_certificate(certificate.encode()).fingerprint(hashes.SHA1()).hex()
    client = confidential_client(sandbox, {"private_key": key, "thumbprint": thumbprint})
    return token(client.acquire_token_for_client(APPLICATION))


def msal_node(sandbox: Sandbox, grant: str, environment: dict) -> str:
    """The JavaScript library, in its own process."""
    facts = sandbox.facts | {"authority": sandbox.authority, "grant": grant}
    command = ["node", "msal_node.cjs", json.dumps(facts)]
    environment = environment | {"NODE_EXTRA_CA_CERTS": sandbox.ca_file}
    process = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)
    assert process.returncode == 0, process.stderr
    return process.stdout.strip()


def public_client(sandbox: Sandbox) -> msal.PublicClientApplication:
    return msal.PublicClientApplication(
        sandbox.facts["public_client_id"],
        authority=sandbox.authority,
        instance_discovery=False,
        verify=sandbox.ca_file,
    )


def confidential_client(sandbox: Sandbox, credential) -> msal.ConfidentialClientApplication:
    return msal.ConfidentialClientApplication(
        sandbox.facts["service_client_id"],
        client_credential=credential,
        authority=sandbox.authority,
        instance_discovery=False,
        verify=sandbox.ca_file,
    )


def alice(sandbox: Sandbox) -> str:
    return sandbox.facts["alice"]["address"]


def token(result: dict) -> str:
    assert "access_token" in result, result
    return result["access_token"]


def refused(result: dict, error: str, code: int | None = None) -> None:
    assert result.get("error") == error, result
    assert code is None or result["error_codes"] == [code], result


def verify_signature(sandbox: Sandbox, id_token: str) -> None:
    """By the published keys, as any OpenID Connect client does; MSAL leaves that out."""
    address = f"{sandbox.authority}/v2.0/.well-known/openid-configuration"
    metadata = requests.get(address, verify=sandbox.ca_file, timeout=30).json()
    keys = jwt.PyJWKClient(metadata["jwks_uri"], ssl_context=ssl.create_default_context(cafile=sandbox.ca_file))
    key = keys.get_signing_key_from_jwt(id_token)
    audience = sandbox.facts["public_client_id"]
    jwt.decode(id_token, key, algorithms=["RS256"], audience=audience, issuer=metadata["issuer"])


def submit(browser: requests.Session, page: requests.Response, fields: dict) -> requests.Response:
    """Fills in the page's form and sends it, as a browser does; a redirect is not followed."""
    action = re.search(r'<form method="post" action="([^"]+)"', page.text)
    assert action, page.text
    hidden = dict(re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', page.text))
    address = requests.compat.urljoin(page.url, action[1])
    return browser.post(address, data=hidden | fields, allow_redirects=False, timeout=30)


def upload(sandbox: Sandbox, certificate: str) -> None:
    sandbox.post(f"/applications/{sandbox.facts['service_client_id']}/certificates", {"certificate": certificate})


def self_made_certificate() -> tuple[str, str]:
    """Key and certificate, PEM."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "witness")])
    now = datetime.datetime.now(datetime.timezone.utc)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    key_pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return key_pem.decode(), certificate.public_bytes(serialization.Encoding.PEM).decode()
