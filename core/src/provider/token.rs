//! What the names inside a token stand for: the service it is for, and the cloud that made it.

use super::{address, clouds};
use crate::error::Result;
use crate::model::Cloud;

/// The permission by which a person's application submits mail.
pub(crate) const PERSONS_PERMISSION: &str = "SMTP.Send";
/// The permission by which an application submits mail as itself.
pub(crate) const APPLICATIONS_PERMISSION: &str = "SMTP.SendAsApp";
/// The audience of federated credentials, unless they were made with another.
pub(crate) const FEDERATION_AUDIENCE: &str = "api://AzureADTokenExchange";

/// The service that an audience names.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Resource {
    /// Exchange Online of these clouds.
    Exchange(Vec<Cloud>),
    /// Microsoft Graph of any cloud.
    Graph,
    /// Something else.
    Other,
}

/// The service that an audience (`aud`) names.
pub(crate) fn resource(audience: &str) -> Result<Resource> {
    let clouds = clouds::clouds()?;
    let host = address::host_of(audience);
    let is_graph = |host: &String| clouds.graph_hosts.contains(host);
    if audience == clouds.graph_app_id || host.as_ref().is_some_and(is_graph) {
        return Ok(Resource::Graph);
    }
    let owners = host.map(|host| clouds.exchanges(&host));
    Ok(match owners.filter(|owners| !owners.is_empty()) {
        Some(owners) => Resource::Exchange(owners),
        None => Resource::Other,
    })
}

/// The clouds whose identity provider an issuer (`iss`) names; empty when it is nobody of ours.
pub(crate) fn issuers(issuer: &str) -> Result<Vec<Cloud>> {
    let clouds = clouds::clouds()?;
    let host = address::host_of(issuer);
    Ok(host.map(|host| clouds.issuers(&host)).unwrap_or_default())
}

/// A cloud's name for people.
pub(crate) fn cloud_name(cloud: Cloud) -> &'static str {
    clouds::name(cloud)
}
