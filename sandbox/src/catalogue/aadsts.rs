//! The AADSTS errors: number, OAuth `error`, HTTP status, `suberror` and text.
//! Texts are those seen in published logs; where only the number is documented, the text says the same in short words.

/// One AADSTS error. `{name}` in the text is filled in by the server.
#[derive(Debug)]
pub struct Aadsts {
    /// The number after `AADSTS`; 0 where Microsoft has none.
    pub code: u32,
    /// The OAuth 2.0 error.
    pub error: &'static str,
    /// The status of the token endpoint's answer.
    pub http_status: u16,
    /// Microsoft's extension, empty where the service sends none.
    pub suberror: &'static str,
    /// What follows `AADSTSnnnnn: `.
    pub text: &'static str,
}

impl Aadsts {
    /// The error with this name: `AADSTS` and the number, or an OAuth error that has no number of its own.
    pub fn named(name: &str) -> Option<&'static Self> {
        ALL.iter().copied().find(|known| known.name() == name)
    }

    /// The name [`Aadsts::named`] finds it by.
    pub fn name(&self) -> String {
        if UNNUMBERED.contains(&self.error) {
            self.error.to_owned()
        } else {
            format!("AADSTS{}", self.code)
        }
    }
}

/// OAuth errors that are looked up by their own name.
const UNNUMBERED: &[&str] = &["slow_down", "authorization_declined"];

macro_rules! aadsts {
    ($($name:ident = $code:literal, $error:literal, $status:literal, $suberror:literal, $text:literal;)*) => {
        $(
            #[doc = concat!("AADSTS", stringify!($code), ": `", $text, "`")]
            pub static $name: Aadsts =
                Aadsts { code: $code, error: $error, http_status: $status, suberror: $suberror, text: $text };
        )*
        /// The whole table.
        pub static ALL: &[&Aadsts] = &[$(&$name),*];
    };
}

// Device code flow.
aadsts! {
    AUTHORIZATION_PENDING = 70016, "authorization_pending", 400, "",
        "OAuth 2.0 device flow error. Authorization is pending. Continue polling.";
    BAD_DEVICE_CODE = 70018, "bad_verification_code", 400, "",
        "Invalid verification code due to User typing in wrong user code for device code flow.";
    USER_CODE_EXPIRED = 70019, "expired_token", 400, "",
        "Verification code expired. Have the user retry signing in with a new code.";
    DEVICE_CODE_EXPIRED = 70020, "expired_token", 400, "",
        "The provided value for the input parameter 'device_code' is not valid. This device code has expired.";
    AUTHORIZATION_DECLINED = 65004, "authorization_declined", 400, "",
        "User declined to consent to access the app.";
    SLOW_DOWN = 0, "slow_down", 400, "",
        "OAuth 2.0 device flow error. Polling too fast. Slow down.";
    WRONG_DATA_CENTRE = 50134, "invalid_grant", 400, "",
        "Wrong data center has been used for this authorization request. Start the flow again.";
    ALREADY_AUTHORIZED = 90120, "invalid_request", 400, "",
        "The device code has already been authorized or declined.";

    // User and sign-in state.
    USER_NOT_FOUND = 50034, "invalid_grant", 400, "",
        "The user account {user} does not exist in the {tenant} directory. To sign into this application, the account must be added to the directory.";
    ACCOUNT_LOCKED = 50053, "invalid_grant", 400, "",
        "The account is locked, you've tried to sign in too many times with an incorrect user ID or password.";
    PASSWORD_EXPIRED = 50055, "invalid_grant", 400, "",
        "The password is expired.";
    ACCOUNT_DISABLED = 50057, "invalid_grant", 400, "",
        "The user account is disabled.";
    LOGIN_REQUIRED = 50058, "login_required", 400, "",
        "A silent sign-in request was sent but no user is signed in.";
    FOREIGN_ACCOUNT = 50020, "invalid_grant", 400, "",
        "User account '{user}' from identity provider '{identity_provider}' does not exist in tenant '{tenant}' and cannot access the application '{client_id}'({application}) in that tenant. The account needs to be added as an external user in the tenant first. Sign out and sign in again with a different Azure Active Directory user account.";
    MFA_REQUIRED = 50076, "invalid_grant", 400, "basic_action",
        "Due to a configuration change made by your administrator, or because you moved to a new location, you must use multi-factor authentication to access '{resource}'.";
    MFA_ENROLLMENT_REQUIRED = 50079, "interaction_required", 400, "basic_action",
        "Due to a configuration change made by your administrator, or because you moved to a new location, you must enroll in multi-factor authentication to access '{resource}'.";
    MFA_EXPIRED = 50078, "invalid_grant", 400, "basic_action",
        "Presented multi-factor authentication has expired due to policies configured by your administrator, you must refresh your multi-factor authentication to access '{resource}'.";
    WRONG_PASSWORD = 50126, "invalid_grant", 400, "",
        "Error validating credentials due to invalid username or password.";
    GRANT_REVOKED = 50173, "invalid_grant", 400, "bad_token",
        "The provided grant has expired due to it being revoked, a fresh auth token is needed. The user might have changed or reset their password. The grant was issued on '{issued_at}' and the TokensValidFrom date (before which tokens are not valid) for this user is '{valid_from}'.";

    // Conditional Access and tenant policy.
    DEVICE_NOT_COMPLIANT = 53000, "interaction_required", 400, "",
        "Device is not in required device state: compliant. Conditional Access policy requires a compliant device, and the device is not compliant.";
    BLOCKED_BY_CONDITIONAL_ACCESS = 53003, "invalid_grant", 400, "message_only",
        "Access has been blocked by Conditional Access policies. The access policy does not allow token issuance.";
    MANAGED_DEVICE_REQUIRED = 530003, "interaction_required", 400, "",
        "Your device is required to be managed to access this resource.";
    DEVICE_FLOW_BLOCKED = 530033, "invalid_grant", 400, "",
        "Access has been blocked by Conditional Access policies. The device code flow is not allowed.";
    DEVICE_FLOW_GRANT_BLOCKED = 530036, "invalid_grant", 400, "",
        "The refresh token is not valid: it was issued through an authentication flow that Conditional Access policies no longer allow.";
    SIGN_IN_FREQUENCY = 70043, "invalid_grant", 400, "bad_token",
        "The refresh token has expired or is invalid due to sign-in frequency checks by conditional access. The token was issued on {issued_at} and the maximum allowed lifetime for this request is 3600.";
    NOT_ASSIGNED = 50105, "access_denied", 400, "",
        "Your administrator has configured the application {application} ('{client_id}') to block users unless they are specifically granted ('assigned') access to the application.";

    // Consent and permissions.
    CONSENT_REQUIRED = 65001, "invalid_grant", 400, "consent_required",
        "The user or administrator has not consented to use the application with ID '{client_id}' named '{application}'. Send an interactive authorization request for this user and resource.";
    CONSENT_DECLINED = 65004, "access_denied", 400, "",
        "User declined to consent to access the app.";
    UNKNOWN_SCOPE = 650053, "invalid_client", 400, "",
        "The application '{application}' asked for scope '{scope}' that doesn't exist on the resource '{resource}'. Contact the app vendor.";
    NO_SERVICE_PLAN = 650052, "invalid_client", 400, "",
        "The app is trying to access a service '{resource}' that your organization '{tenant}' lacks a service principal for. Contact your IT Admin to review the configuration of your service subscriptions or consent to the application in order to create the required service principal.";
    CONSENT_NEEDS_ADMIN = 90094, "consent_required", 400, "",
        "Admin consent is required for the permissions requested by this application.";

    // Application and credentials.
    UNKNOWN_APPLICATION = 700016, "unauthorized_client", 400, "",
        "Application with identifier '{client_id}' was not found in the directory '{tenant}'. This can happen if the application has not been installed by the administrator of the tenant or consented to by any user in the tenant. You may have sent your authentication request to the wrong tenant.";
    APPLICATION_DISABLED = 7000112, "unauthorized_client", 400, "",
        "Application '{client_id}'({application}) is disabled.";
    UNKNOWN_RESOURCE = 500011, "invalid_resource", 400, "",
        "The resource principal named {resource} was not found in the tenant named {tenant}. This can happen if the application has not been installed by the administrator of the tenant or consented to by any user in the tenant. You might have sent your authentication request to the wrong tenant.";
    WRONG_SECRET = 7000215, "invalid_client", 401, "",
        "Invalid client secret provided. Ensure the secret being sent in the request is the client secret value, not the client secret ID, for a secret added to app '{client_id}'.";
    SECRET_EXPIRED = 7000222, "invalid_client", 401, "",
        "The provided client secret keys for app '{client_id}' are expired. Visit the Azure portal to create new keys for your app: https://aka.ms/NewClientSecret, or consider using certificate credentials for added security: https://aka.ms/certCreds.";
    CREDENTIAL_REQUIRED = 7000216, "invalid_client", 401, "",
        "'client_assertion', 'client_secret' or 'request' is required for the 'client_credentials' grant type.";
    CONFIDENTIAL_CLIENT_EXPECTED = 7000218, "invalid_client", 401, "",
        "The request body must contain the following parameter: 'client_assertion' or 'client_secret'.";
    PUBLIC_CLIENT_WITH_CREDENTIAL = 700025, "invalid_client", 401, "",
        "Client is public so neither 'client_assertion' nor 'client_secret' should be presented.";
    ASSERTION_SIGNATURE = 700027, "invalid_client", 401, "",
        "Client assertion contains an invalid signature. [Reason - {reason}, Thumbprint of key used by client: '{thumbprint}', Please visit the Azure Portal, Graph Explorer or directly use MS Graph to see configured keys for app Id '{client_id}'.]";
    ASSERTION_TIME = 700024, "invalid_client", 401, "",
        "Client assertion is not within its valid time range. Current time: {now}, assertion valid from {valid_from}, expiry time of assertion {valid_until}.";
    ASSERTION_SUBJECT = 700021, "invalid_client", 401, "",
        "Client assertion application identifier doesn't match 'client_id' parameter.";
    ASSERTION_AUDIENCE = 700023, "invalid_client", 401, "",
        "Client assertion audience claim does not match Realm issuer.";
    ASSERTION_MALFORMED = 50027, "invalid_client", 401, "",
        "JWT token is invalid or malformed.";
    CERTIFICATE_EXPIRED = 1000502, "invalid_client", 401, "",
        "The provided certificate is not within its specified validity window. Certificate expiry date: {valid_until}.";
    NO_FEDERATED_CREDENTIAL = 70021, "invalid_request", 400, "",
        "No matching federated identity record found for presented assertion. Please check your federated identity credential Subject, Audience and Issuer against the presented assertion.";
    FEDERATED_ISSUER = 700211, "invalid_client", 401, "",
        "No matching federated identity record found for presented assertion issuer '{issuer}'. Please check your federated identity credential Subject, Audience and Issuer against the presented assertion.";
    FEDERATED_AUDIENCE = 700212, "invalid_client", 401, "",
        "No matching federated identity record found for presented assertion audience '{audience}'. Please check your federated identity credential Subject, Audience and Issuer against the presented assertion.";
    FEDERATED_SUBJECT = 700213, "invalid_client", 401, "",
        "No matching federated identity record found for presented assertion subject '{subject}'. Please check your federated identity credential Subject, Audience and Issuer against the presented assertion.";
    FEDERATED_SIGNATURE = 50013, "invalid_client", 401, "",
        "Assertion failed signature validation. [Reason - The key was not found.]";
    SINGLE_TENANT_APPLICATION = 50194, "invalid_request", 400, "",
        "Application '{client_id}'({application}) is not configured as a multi-tenant application. Usage of the /common endpoint is not supported for such apps created after '10/15/2018'. Use a tenant-specific endpoint or configure the application to be multi-tenant.";

    // Grants, parameters, redirect.
    INVALID_GRANT = 70000, "invalid_grant", 400, "",
        "Provided grant is invalid or malformed.";
    CODE_EXPIRED = 70008, "invalid_grant", 400, "",
        "The provided authorization code or refresh token has expired due to inactivity. Send a new interactive authorization request for this user and resource.";
    REFRESH_TOKEN_IDLE = 700082, "invalid_grant", 400, "bad_token",
        "The refresh token has expired due to inactivity. The token was issued on {issued_at} and was inactive for 90.00:00:00.";
    REFRESH_TOKEN_TOO_OLD = 700081, "invalid_grant", 400, "bad_token",
        "The refresh token has expired due to maximum lifetime. The token was issued on {issued_at} and the maximum allowed lifetime for this request is 90.00:00:00.";
    SPA_REFRESH_TOKEN_EXPIRED = 700084, "invalid_grant", 400, "bad_token",
        "The refresh token was issued to a single page app (SPA), and therefore has a fixed, limited lifetime of 1.00:00:00, which cannot be extended. It is now expired and a new sign in request must be sent by the SPA to the sign in page. The token was issued on {issued_at}.";
    CODE_OF_OTHER_TENANT = 700005, "invalid_grant", 400, "",
        "Provided Authorization Code is intended to use against other tenant, thus rejected.";
    CODE_OF_OTHER_CLIENT = 700007, "invalid_grant", 400, "",
        "The provided authorization code was issued to another client.";
    CODE_REDEEMED = 54005, "invalid_grant", 400, "",
        "OAuth2 Authorization code was already redeemed, please retry with a new valid code or use an existing refresh token.";
    VERIFIER_SIZE = 50147, "invalid_grant", 400, "",
        "Invalid size of Code_Verifier parameter.";
    VERIFIER_MISSING = 50148, "invalid_grant", 400, "",
        "The code_verifier does not match the code_challenge supplied in the authorization request for PKCE.";
    VERIFIER_MISMATCH = 501481, "invalid_grant", 400, "",
        "The Code_Verifier does not match the code_challenge supplied in the authorization request.";
    CHALLENGE_SIZE = 501491, "invalid_request", 400, "",
        "Invalid size of Code_Challenge parameter.";
    REDIRECT_URI_MISMATCH = 50011, "invalid_request", 400, "",
        "The redirect URI '{redirect_uri}' specified in the request does not match the redirect URIs configured for the application '{client_id}'. Make sure the redirect URI sent in the request matches one added to your application in the Azure portal. Navigate to https://aka.ms/redirectUriMismatchError to learn more about how to troubleshoot this error.";
    NO_REDIRECT_URI = 500113, "invalid_request", 400, "",
        "No reply address is registered for the application.";
    REDIRECT_URI_OF_CODE = 70004, "invalid_grant", 400, "",
        "The provided value for the input parameter 'redirect_uri' is not valid. The expected value is the redirect URI of the authorization request.";
    INVALID_SCOPE = 70011, "invalid_scope", 400, "",
        "The provided request must include a 'scope' input parameter. The provided value for the input parameter 'scope' is not valid. The scope {scope} is not valid.";
    DEFAULT_SCOPE_NEEDED = 1002012, "invalid_scope", 400, "",
        "The provided value for scope {scope} is not valid. Client credential flows must have a scope value with /.default suffixed to the resource identifier (application ID URI).";
    MIXED_RESOURCES = 700022, "invalid_scope", 400, "",
        "Provided value for the input parameter scope is not valid because it contains more than one resource. Scope {scope} is not valid.";
    MIXED_RESOURCES_OLDER = 28000, "invalid_scope", 400, "",
        "Provided value for the input parameter scope is not valid because it contains more than one resource. Scope {scope} is not valid.";
    UNSUPPORTED_GRANT_TYPE = 70003, "unsupported_grant_type", 400, "",
        "The app requested an unsupported grant type '{grant_type}'.";
    RESPONSE_TYPE_NOT_ENABLED = 700054, "unsupported_response_type", 400, "",
        "response_type '{response_type}' is not enabled for the application.";
    UNSUPPORTED_RESPONSE_MODE = 70007, "invalid_request", 400, "",
        "'{response_mode}' is not a supported value of 'response_mode' when requesting a token.";
    NO_TENANT = 50059, "invalid_request", 400, "",
        "No tenant-identifying information found in either the request or implied by any provided credentials.";
    GRANT_NOT_AT_COMMON = 9001023, "invalid_request", 400, "",
        "The grant type is not supported over the /common or /consumers endpoints. Please use the /organizations or tenant-specific endpoint.";
    TENANT_NOT_FOUND = 90002, "invalid_request", 400, "",
        "Tenant '{tenant}' not found. Check to make sure you have the correct tenant ID and are signing into the correct cloud. Check with your subscription administrator, this may happen if there are no active subscriptions for the tenant.";
    TENANT_MALFORMED = 900023, "invalid_request", 400, "",
        "Specified tenant identifier '{tenant}' is neither a valid DNS name, nor a valid external domain.";
    PARAMETER_MISSING = 900144, "invalid_request", 400, "",
        "The request body must contain the following parameter: '{parameter}'.";
    REQUEST_MALFORMED = 9002313, "invalid_request", 400, "",
        "Invalid request. Request is malformed or invalid.";
    GRANT_MALFORMED = 9002313, "invalid_grant", 400, "",
        "Invalid request. Request is malformed or invalid.";
    WRONG_VERB = 900561, "invalid_request", 400, "",
        "The endpoint only accepts POST, OPTIONS requests. Received a {method} request.";
    TWO_CLIENT_IDS = 90011, "invalid_request", 400, "",
        "Ambiguous client identifier: the Authorization header and the body name different clients.";
    UNKNOWN_INSTANCE = 50049, "invalid_instance", 400, "",
        "Unknown or invalid instance.";

    // Service side.
    TRANSIENT = 90033, "temporarily_unavailable", 400, "",
        "A transient error has occurred. Please try again.";
    FLOW_TIMEOUT = 90012, "temporarily_unavailable", 504, "",
        "The request has timed out.";
    SERVER_ERROR = 90006, "server_error", 500, "",
        "The service is temporarily unavailable. Please retry later.";
    TENANT_THROTTLED = 90055, "temporarily_unavailable", 429, "",
        "The server is terminating the request due to too many requests from the tenant.";
    REQUEST_LOOP = 50196, "invalid_grant", 400, "",
        "The server terminated an operation because it encountered a client request loop. Please contact your app vendor.";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_entry_is_found_by_its_name() {
        for entry in ALL {
            let found = Aadsts::named(&entry.name()).map(|found| found.text);
            assert_eq!(found, Some(entry.text), "{}", entry.name());
        }
    }

    #[test]
    fn declining_has_one_form_for_devices_and_one_for_browsers() {
        let check =
            |name, error| assert_eq!(Aadsts::named(name).map(|found| found.error), Some(error));
        check("authorization_declined", "authorization_declined");
        check("slow_down", "slow_down");
        check("AADSTS70016", "authorization_pending");
        assert!(Aadsts::named("AADSTS1").is_none());
        assert!(Aadsts::named("invalid_client").is_none());
    }
}
