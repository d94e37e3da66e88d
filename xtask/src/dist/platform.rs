//! The platforms that packages are made for, and what each registry calls them.

use crate::Result;

/// One platform.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Platform {
    /// Rust's name for it.
    pub(super) triple: &'static str,
    /// The oldest C library that the packages run on, where there is one: glibc's version.
    pub(super) glibc: Option<&'static str>,
    /// What a wheel for it promises: maturin's `--compatibility`.
    pub(super) wheel: &'static str,
    /// The name of its npm package behind `@mailbearer/`, which is also what `native.js` asks for.
    pub(super) npm: &'static str,
    /// Debian's name of the architecture.
    pub(super) debian: Option<&'static str>,
}

/// All of them, the most used first. `docs/platforms.md` says which have been built and which have been run.
pub(crate) const PLATFORMS: [Platform; 7] = [
    Platform {
        triple: "x86_64-unknown-linux-gnu",
        glibc: Some("2.17"),
        wheel: "manylinux2014",
        npm: "linux-x64-gnu",
        debian: Some("amd64"),
    },
    Platform {
        triple: "aarch64-unknown-linux-gnu",
        glibc: Some("2.17"),
        wheel: "manylinux2014",
        npm: "linux-arm64-gnu",
        debian: Some("arm64"),
    },
    Platform {
        triple: "x86_64-unknown-linux-musl",
        glibc: None,
        wheel: "musllinux_1_2",
        npm: "linux-x64-musl",
        debian: Some("amd64"),
    },
    Platform {
        triple: "aarch64-unknown-linux-musl",
        glibc: None,
        wheel: "musllinux_1_2",
        npm: "linux-arm64-musl",
        debian: Some("arm64"),
    },
    Platform {
        triple: "aarch64-apple-darwin",
        glibc: None,
        wheel: "off",
        npm: "darwin-arm64",
        debian: None,
    },
    Platform {
        triple: "x86_64-apple-darwin",
        glibc: None,
        wheel: "off",
        npm: "darwin-x64",
        debian: None,
    },
    Platform {
        triple: "x86_64-pc-windows-msvc",
        glibc: None,
        wheel: "off",
        npm: "win32-x64-msvc",
        debian: None,
    },
];

impl Platform {
    /// The platform of that name, Rust's.
    pub(super) fn named(triple: &str) -> Result<&'static Self> {
        let found = PLATFORMS.iter().find(|platform| platform.triple == triple);
        found.ok_or_else(|| {
            let known: Vec<_> = PLATFORMS.iter().map(|platform| platform.triple).collect();
            format!(
                "no platform named {triple}; there are: {}",
                known.join(", ")
            )
            .into()
        })
    }

    /// Where shared libraries for this machine run.
    pub(super) fn host(shell: &xshell::Shell) -> Result<&'static Self> {
        let triple = xshell::cmd!(shell, "rustc --print host-tuple")
            .quiet()
            .read()?;
        Self::named(&triple)
    }

    /// Where programs are linked statically: on Linux musl's sibling, elsewhere the platform itself.
    pub(super) fn for_programs(&self) -> Result<&'static Self> {
        Self::named(&self.triple.replace("linux-gnu", "linux-musl"))
    }

    pub(super) fn is_linux(&self) -> bool {
        self.triple.contains("-linux-")
    }

    /// npm's `os`, `cpu` and `libc`.
    pub(super) fn npm_fields(&self) -> (&str, &str, Option<&str>) {
        let mut parts = self.npm.split('-');
        let (os, cpu) = (parts.next(), parts.next());
        let libc = parts.next().filter(|_| self.is_linux());
        let libc = libc.map(|libc| if libc == "gnu" { "glibc" } else { libc });
        (os.unwrap_or_default(), cpu.unwrap_or_default(), libc)
    }

    /// The file that a library crate becomes.
    pub(super) fn library(&self, name: &str) -> String {
        match self.triple {
            triple if triple.contains("windows") => format!("{name}.dll"),
            triple if triple.contains("darwin") => format!("lib{name}.dylib"),
            _ => format!("lib{name}.so"),
        }
    }

    /// The file that a program becomes.
    pub(super) fn program(&self, name: &str) -> String {
        if self.triple.contains("windows") {
            format!("{name}.exe")
        } else {
            name.to_owned()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_registry_has_its_own_name_for_a_platform() {
        fn check(triple: &str, npm: (&str, &str, Option<&str>), library: &str) {
            let platform = Platform::named(triple).unwrap();
            assert_eq!(platform.npm_fields(), npm, "{triple}");
            assert_eq!(platform.library("a"), library, "{triple}");
        }
        check(
            "x86_64-unknown-linux-gnu",
            ("linux", "x64", Some("glibc")),
            "liba.so",
        );
        check(
            "aarch64-unknown-linux-musl",
            ("linux", "arm64", Some("musl")),
            "liba.so",
        );
        check(
            "aarch64-apple-darwin",
            ("darwin", "arm64", None),
            "liba.dylib",
        );
        check("x86_64-pc-windows-msvc", ("win32", "x64", None), "a.dll");
    }

    #[test]
    fn an_unknown_platform_is_refused_with_the_known_ones() {
        let error = Platform::named("sparc-sun-solaris")
            .unwrap_err()
            .to_string();
        assert!(error.contains("x86_64-unknown-linux-gnu"), "{error}");
    }
}
