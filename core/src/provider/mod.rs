//! Clouds and routes as data, and validation of settings.
