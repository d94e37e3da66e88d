// The identity provider of the real-server tests: `oidc-provider`, a certified OpenID provider, on a free port of
// 127.0.0.1. It signs access tokens that Dovecot can check, and says in its first line of output, as JSON, what a client
// must know. It stands for no Microsoft endpoint: paths, errors and pages are its own.

import { generateKeyPair, randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { promisify } from 'node:util';

import Provider from 'oidc-provider';

const MAILBOX = 'app@example.test';
const SEND_SCOPE = 'smtp.send';
const READ_SCOPE = 'mail.read';
const AUDIENCE = 'https://mail.example.test';
const KEY_ID = 'real-servers';
const HOUR_S = 3600;
const ROUTES = { token: '/token', authorization: '/auth', device_authorization: '/device/auth', code_verification: '/device' };

// oidc-provider calls URL.parse, which Node has from 22.1 on, and works on Node 20 but for that.
URL.parse ??= (url, base) => (URL.canParse(url, base) ? new URL(url, base) : null);

const newKey = () => promisify(generateKeyPair)('rsa', { modulusLength: 2048 });
const [tokenKey, certificateKey] = await Promise.all([newKey(), newKey()]);
const pem = (key, type) => key.export({ type, format: 'pem' });
const jwk = (key) => ({ ...key.export({ format: 'jwk' }), use: 'sig' });

const confidentialClient = {
  client_id: 'mailbearer-service',
  client_secret: randomUUID(),
  grant_types: ['client_credentials'],
  token_endpoint_auth_method: 'client_secret_post',
  redirect_uris: [],
  response_types: [],
};

const certificateClient = {
  client_id: 'mailbearer-certificate',
  grant_types: ['client_credentials'],
  token_endpoint_auth_method: 'private_key_jwt',
  jwks: { keys: [jwk(certificateKey.publicKey)] },
  redirect_uris: [],
  response_types: [],
};

const publicClient = {
  client_id: 'mailbearer-device',
  application_type: 'native',
  grant_types: ['urn:ietf:params:oauth:grant-type:device_code', 'authorization_code', 'refresh_token'],
  token_endpoint_auth_method: 'none',
  redirect_uris: ['http://localhost/'], // of a native client, any port is meant (RFC 8252 section 7.3)
  response_types: ['code'],
};

const configuration = {
  clients: [confidentialClient, certificateClient, publicClient],
  jwks: { keys: [{ ...jwk(tokenKey.privateKey), kid: KEY_ID, alg: 'RS256' }] },
  routes: ROUTES,
  scopes: ['openid', 'offline_access', SEND_SCOPE, READ_SCOPE],
  features: {
    clientCredentials: { enabled: true },
    deviceFlow: { enabled: true },
    devInteractions: { enabled: true },
    resourceIndicators: {
      enabled: true,
      // A client that names no `resource` still gets a token for the mail server.
      defaultResource: () => AUDIENCE,
      useGrantedResource: () => true,
      getResourceServerInfo: () => ({
        scope: `${SEND_SCOPE} ${READ_SCOPE}`,
        audience: AUDIENCE,
        accessTokenFormat: 'jwt',
        jwt: { sign: { alg: 'RS256' } },
      }),
    },
  },
  // Dovecot compares this claim with the `user=` of XOAUTH2. An application's own token has no account.
  extraTokenClaims: (_context, token) => ({ username: token.accountId ?? MAILBOX }),
  formats: {
    customizers: {
      // Dovecot 2.3 reads `JWT` only, not the `at+jwt` of RFC 9068.
      jwt: (_context, _token, jwt) => { jwt.header = { typ: 'JWT' }; },
    },
  },
  findAccount: (_context, id) => ({ accountId: id, claims: () => ({ sub: id }) }),
  rotateRefreshToken: true,
  ttl: { AccessToken: HOUR_S, ClientCredentials: HOUR_S, DeviceCode: HOUR_S, RefreshToken: HOUR_S },
};

const server = createServer();
server.listen(0, '127.0.0.1');
await once(server, 'listening');
const issuer = `http://127.0.0.1:${server.address().port}`;
server.on('request', new Provider(issuer, configuration).callback());

console.log(JSON.stringify({
  issuer_url: issuer,
  token_url: issuer + ROUTES.token,
  authorization_url: issuer + ROUTES.authorization,
  device_authorization_url: issuer + ROUTES.device_authorization,
  verification_url: issuer + ROUTES.code_verification,
  client_id: confidentialClient.client_id,
  client_secret: confidentialClient.client_secret,
  certificate_client_id: certificateClient.client_id,
  certificate_key_pem: pem(certificateKey.privateKey, 'pkcs8'),
  public_client_id: publicClient.client_id,
  send_scope: SEND_SCOPE,
  read_scope: READ_SCOPE,
  audience: AUDIENCE,
  mailbox: MAILBOX,
  key_id: KEY_ID,
  public_key_pem: pem(tokenKey.publicKey, 'spki'),
}));
