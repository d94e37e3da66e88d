//! Tells the linker that Node itself brings the symbols of Node-API.

fn main() {
    napi_build::setup();
}
