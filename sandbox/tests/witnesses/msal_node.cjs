// Asks for a token with MSAL for JavaScript and prints it. The only argument is JSON: the sandbox's facts and the grant.
"use strict";

const msal = require("@azure/msal-node");

const facts = JSON.parse(process.argv[2]);
const delegated = ["https://outlook.office.com/SMTP.Send"];
const auth = {
  authority: facts.authority,
  // Hosts MSAL does not know must be named, or it asks Microsoft about them.
  knownAuthorities: [new URL(facts.authority).host],
};

async function clientSecret() {
  const client = new msal.ConfidentialClientApplication({
    auth: { ...auth, clientId: facts.service_client_id, clientSecret: facts.service_client_secret },
  });
  return client.acquireTokenByClientCredential({ scopes: ["https://outlook.office365.com/.default"] });
}

async function deviceCode() {
  const client = new msal.PublicClientApplication({ auth: { ...auth, clientId: facts.public_client_id } });
  const result = await client.acquireTokenByDeviceCode({ scopes: delegated, deviceCodeCallback: approve });
  const renewed = await client.acquireTokenSilent({ account: result.account, scopes: delegated, forceRefresh: true });
  if (renewed.accessToken === result.accessToken) throw new Error("the token was not renewed");
  return renewed;
}

async function approve(code) {
  const approval = { user_code: code.userCode, user: facts.alice.address };
  const response = await fetch(`${facts.identity_url}/sandbox/devices/approve`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(approval),
  });
  if (!response.ok) throw new Error(await response.text());
}

const grants = { "client-secret": clientSecret, "device-code": deviceCode };
grants[facts.grant]().then(
  (result) => console.log(result.accessToken),
  (error) => {
    console.error(error);
    process.exitCode = 1;
  },
);
