//! Writes the Swift sources and C headers that follow from the native library.
//! A program of its own behind a feature, because its generator takes longer to compile than all of xtask.

#![forbid(unsafe_code)]

use std::error::Error;
use uniffi_bindgen::bindings::{SwiftBindingsOptions, generate_swift_bindings};

/// Arguments: the static library, the configuration, the folder to write into.
fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [library, config, folder] = arguments.as_slice() else {
        return Err("usage: swift-bindgen LIBRARY CONFIG FOLDER".into());
    };
    let options = SwiftBindingsOptions {
        generate_swift_sources: true,
        generate_headers: true,
        generate_modulemap: false, // ours also names the library to link
        source: library.into(),
        out_dir: folder.into(),
        xcframework: false,
        module_name: None,
        modulemap_filename: None,
        metadata_no_deps: true,
        link_frameworks: Vec::new(),
        config: Some(config.into()),
    };
    Ok(generate_swift_bindings(options)?)
}
