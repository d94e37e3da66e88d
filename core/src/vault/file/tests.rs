//! The encrypted file as its users see it: contract, damage, permissions, other writers.
//! What several processes and `kill -9` do to it is in `processes`.

mod processes;

use super::*;
use crate::error::Error;
use crate::host::{Random as _, SeededRandom};
use crate::vault::contract::keeps_the_contract;
use proptest::prelude::*;
use std::fs;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// Cheap enough to open a file thousands of times.
const CHEAP: KeyCost = KeyCost {
    memory_kib: 8,
    passes: 1,
    lanes: 1,
};

/// A folder for one test, and the vault file in it.
struct Scene {
    _folder: TempDir,
    path: PathBuf,
}

impl Scene {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("vault.mbv");
        Self {
            _folder: folder,
            path,
        }
    }

    fn beside(&self, suffix: &str) -> PathBuf {
        format!("{}{suffix}", self.path.display()).into()
    }

    async fn open(&self) -> Result<EncryptedFile> {
        open(&self.path, "correct horse").await
    }

    /// Puts octets where the vault file belongs, as private as a vault file.
    fn place(&self, octets: &[u8]) {
        let _ = fs::remove_file(&self.path);
        let mut options = crate::vault::permission::opening();
        let mut file = options
            .write(true)
            .create_new(true)
            .open(&self.path)
            .unwrap();
        io::Write::write_all(&mut file, octets).unwrap();
    }

    /// The file with these octets is refused, and left as it is.
    async fn refuses(&self, octets: &[u8]) -> Error {
        self.place(octets);
        let error = self.open().await.unwrap_err();
        assert_eq!(fs::read(&self.path).unwrap(), octets);
        error
    }
}

async fn open(path: &Path, passphrase: &str) -> Result<EncryptedFile> {
    let text = passphrase.to_owned().into();
    let passphrase = Passphrase::Text { text };
    open_from(path, &passphrase).await
}

async fn open_from(path: &Path, source: &Passphrase) -> Result<EncryptedFile> {
    EncryptedFile::open_at_cost(path.to_str().unwrap(), source, &Host::default(), CHEAP).await
}

async fn write(vault: &EncryptedFile, key: &str, value: &str) {
    let value = SecretBytes::new(value.as_bytes().to_vec());
    vault.write(key, &value).await.unwrap();
}

async fn read(vault: &EncryptedFile, key: &str) -> Option<String> {
    let value = vault.read(key).await.unwrap()?;
    Some(String::from_utf8(value.expose().clone()).unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_encrypted_file_keeps_the_contract() {
    let scene = Scene::new();
    keeps_the_contract(Arc::new(scene.open().await.unwrap())).await;
}

#[tokio::test]
async fn records_are_there_after_reopening_and_nowhere_in_clear() {
    let scene = Scene::new();
    let vault = scene.open().await.unwrap();
    write(&vault, "token/billing", "hunter2").await;
    assert!(!format!("{vault:?}").contains("correct horse"));
    drop(vault);

    let vault = scene.open().await.unwrap();
    assert_eq!(read(&vault, "token/billing").await.unwrap(), "hunter2");
    let octets = fs::read(&scene.path).unwrap();
    for text in ["hunter2", "billing", "correct horse"] {
        assert!(
            !octets
                .windows(text.len())
                .any(|part| part == text.as_bytes())
        );
    }
    assert!(!scene.beside(".next").exists());
}

/// `FIXTURE` was written from the specification alone, in another language with other libraries.
#[tokio::test]
async fn opens_a_file_of_an_independent_writer() {
    let scene = Scene::new();
    scene.place(&fixture());
    let vault = scene.open().await.unwrap();
    let keys = vault.keys("").await.unwrap();
    assert_eq!(keys, ["account/billing", "token/billing"]);
    assert_eq!(read(&vault, "token/billing").await.unwrap(), "refresh");
    let error = open(&scene.path, "battery staple").await.unwrap_err();
    assert_eq!(error.code(), "vault-passphrase-wrong");
}

#[tokio::test]
async fn refuses_a_file_with_any_bit_altered() {
    let scene = Scene::new();
    let good = fixture();
    for place in 0..good.len() {
        for bit in 0..8 {
            let mut octets = good.clone();
            octets[place] ^= 1 << bit;
            let error = scene.refuses(&octets).await;
            let expected = match place {
                0..8 => "vault-file-foreign",
                // Version 1 becomes 0 by this bit.
                8..12 if (place, bit) != (11, 0) => "vault-file-newer",
                _ => "vault-file-damaged",
            };
            assert_eq!(error.code(), expected, "octet {place}, bit {bit}");
        }
    }
}

#[tokio::test]
async fn refuses_a_file_cut_or_extended_anywhere() {
    let scene = Scene::new();
    let good = fixture();
    for size in 0..good.len() {
        let error = scene.refuses(&good[..size]).await;
        assert_eq!(error.code(), "vault-file-damaged", "{size} octets");
    }
    let mut octets = good;
    octets.push(0);
    let error = scene.refuses(&octets).await;
    assert_eq!(error.code(), "vault-file-damaged");
}

#[tokio::test]
async fn refuses_other_files_and_says_what_they_are() {
    let scene = Scene::new();
    let mut newer = fixture();
    newer[11] = 2;
    let mut costly = fixture();
    costly[12..16].copy_from_slice(&(100 * 1024 * 1024_u32).to_be_bytes());
    crate::vault::header::forge_checksum(&mut costly);
    let cases: [(&[u8], &str, &str); 5] = [
        (b"", "vault-file-damaged", "is empty"),
        (
            b"#!/bin/sh\n",
            "vault-file-foreign",
            "not a Mailbearer vault",
        ),
        (
            &[0xFF; 4096],
            "vault-file-foreign",
            "not a Mailbearer vault",
        ),
        (&newer, "vault-file-newer", "version 2"),
        (&costly, "vault-file-damaged", "memory or time"),
    ];
    for (octets, code, text) in cases {
        let error = scene.refuses(octets).await;
        assert_eq!(error.code(), code);
        assert!(error.to_string().contains(text), "{error}");
        assert!(error.to_string().contains("vault.mbv"), "{error}");
    }
}

#[tokio::test]
async fn never_replaces_a_file_that_went_bad_while_open() {
    let scene = Scene::new();
    let vault = scene.open().await.unwrap();
    write(&vault, "a", "1").await;
    let good = fs::read(&scene.path).unwrap();

    let mut bad = good.clone();
    *bad.last_mut().unwrap() ^= 1;
    for octets in [bad.as_slice(), b"", b"other"] {
        scene.place(octets);
        let error = vault.write("a", &SecretBytes::default()).await.unwrap_err();
        assert!(error.code().starts_with("vault-file-"), "{error:?}");
        assert!(vault.remove("a").await.is_err());
        assert_eq!(fs::read(&scene.path).unwrap(), octets);
    }
    fs::remove_file(&scene.path).unwrap();
    for error in [
        vault.read("a").await.unwrap_err(),
        vault.write("a", &SecretBytes::default()).await.unwrap_err(),
    ] {
        assert_eq!(error.code(), "vault-file-missing");
    }

    scene.place(&good);
    assert_eq!(read(&vault, "a").await.unwrap(), "1");
    write(&vault, "a", "2").await;
    assert_eq!(read(&vault, "a").await.unwrap(), "2");
}

#[tokio::test]
async fn sees_what_others_write() {
    let scene = Scene::new();
    let (one, other) = (scene.open().await.unwrap(), scene.open().await.unwrap());
    for round in 0..20 {
        let value = round.to_string();
        let (writer, reader) = if round % 2 == 0 {
            (&one, &other)
        } else {
            (&other, &one)
        };
        write(writer, "a", &value).await;
        assert_eq!(read(reader, "a").await.unwrap(), value);
    }
    assert!(other.remove("a").await.unwrap());
    assert!(read(&one, "a").await.is_none());
}

#[tokio::test]
async fn follows_a_file_that_was_created_anew() {
    let scene = Scene::new();
    let vault = scene.open().await.unwrap();
    write(&vault, "old", "1").await;

    fs::remove_file(&scene.path).unwrap();
    let successor = scene.open().await.unwrap();
    write(&successor, "new", "2").await;
    assert_eq!(vault.keys("").await.unwrap(), ["new"]);
    write(&vault, "newer", "3").await;
    assert_eq!(successor.keys("").await.unwrap(), ["new", "newer"]);

    fs::remove_file(&scene.path).unwrap();
    let stranger = open(&scene.path, "battery staple").await.unwrap();
    let before = fs::read(&scene.path).unwrap();
    let code = "vault-key-changed";
    assert_eq!(vault.read("new").await.unwrap_err().code(), code);
    let written = vault.write("new", &SecretBytes::default()).await;
    assert_eq!(written.unwrap_err().code(), code);
    assert_eq!(fs::read(&scene.path).unwrap(), before);
    assert!(stranger.keys("").await.unwrap().is_empty());
}

#[tokio::test]
async fn the_nonce_is_fresh_at_every_write_and_the_salt_stays() {
    let scene = Scene::new();
    let vault = scene.open().await.unwrap();
    let mut seen = std::collections::HashSet::new();
    let salt = fs::read(&scene.path).unwrap()[24..40].to_vec();
    for _ in 0..20 {
        write(&vault, "a", "the same").await;
        let octets = fs::read(&scene.path).unwrap();
        assert_eq!(octets[24..40], salt);
        assert!(seen.insert(octets[72..96].to_vec()));
    }
}

/// Begins a write, and stops waiting for it.
async fn begin_and_drop_write(vault: &EncryptedFile, key: &str, value: &str) {
    let value = SecretBytes::new(value.as_bytes().to_vec());
    tokio::select! {
        biased;
        _ = vault.write(key, &value) => {}
        () = std::future::ready(()) => {}
    }
}

#[tokio::test]
async fn a_write_that_nobody_waits_for_is_whole_or_not_at_all() {
    let scene = Scene::new();
    let vault = scene.open().await.unwrap();
    write(&vault, "a", "before").await;
    for _ in 0..20 {
        let before = read(&vault, "a").await.unwrap();
        let dropped = before.clone() + " and after";
        begin_and_drop_write(&vault, "a", &dropped).await;
        let found = read(&scene.open().await.unwrap(), "a").await.unwrap();
        assert!([before, dropped].contains(&found), "{found}");
        write(&vault, "b", "whatever was under way is done now").await;
    }
}

#[tokio::test]
async fn a_write_that_nobody_waits_for_undoes_no_later_one() {
    let scene = Scene::new();
    let vault = Arc::new(scene.open().await.unwrap());
    // While another process has the lock, both writes have to wait, and could change places.
    let lock = vault.inner.place.lock().unwrap();
    begin_and_drop_write(&vault, "a", "dropped").await;
    let later = vault.clone();
    let later = tokio::spawn(async move { write(&later, "a", "later").await });
    tokio::task::yield_now().await;
    // There is no signal for what does not happen: this long, the second write could have begun.
    std::thread::sleep(std::time::Duration::from_millis(20));
    tokio::task::yield_now().await;
    let under_way = Arc::strong_count(&vault.inner) - 1;
    assert_eq!(under_way, 1, "the second write waits for its turn");

    drop(lock);
    later.await.unwrap();
    assert_eq!(read(&vault, "a").await.unwrap(), "later");
}

#[tokio::test]
async fn refuses_paths_that_cannot_hold_a_vault() {
    async fn check(path: &Path, expected_code: &str) {
        let error = open(path, "correct horse").await.unwrap_err();
        assert_eq!(error.code(), expected_code, "{error}");
    }
    let scene = Scene::new();
    let folder = scene.path.parent().unwrap();
    check(folder, "vault-path-invalid").await;
    check(Path::new(""), "vault-path-invalid").await;
    check(Path::new("/"), "vault-path-invalid").await;
    fs::write(folder.join("file"), "").unwrap();
    check(&folder.join("file/vault.mbv"), "vault-file-unreadable").await;
    #[cfg(unix)]
    {
        drop(scene.open().await.unwrap());
        std::os::unix::fs::symlink(&scene.path, folder.join("link")).unwrap();
        check(&folder.join("link"), "vault-path-invalid").await;
        std::os::unix::fs::symlink("nowhere", folder.join("broken")).unwrap();
        check(&folder.join("broken"), "vault-path-invalid").await;
        assert!(!folder.join("nowhere").exists());
        check(Path::new("/dev/null"), "vault-path-invalid").await;
    }
    #[cfg(target_os = "linux")]
    check(
        Path::new("/proc/mailbearer/vault.mbv"),
        "vault-write-failed",
    )
    .await;
}

#[tokio::test]
async fn a_failed_write_leaves_the_old_state() {
    let scene = Scene::new();
    let vault = scene.open().await.unwrap();
    write(&vault, "a", "1").await;
    // A directory with contents can be neither replaced by a file nor removed as one, not even by root.
    for suffix in [".next", ".lock"] {
        let _ = fs::remove_file(scene.beside(suffix));
        fs::create_dir_all(scene.beside(suffix).join("child")).unwrap();
        let error = vault.write("a", &SecretBytes::default()).await.unwrap_err();
        assert_eq!(error.code(), "vault-write-failed", "{suffix}");
        assert_eq!(read(&vault, "a").await.unwrap(), "1");
        assert_eq!(read(&scene.open().await.unwrap(), "a").await.unwrap(), "1");
        fs::remove_dir_all(scene.beside(suffix)).unwrap();
    }
    write(&vault, "a", "2").await;
}

#[cfg(unix)]
mod permissions {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o7777
    }

    fn set_mode(path: &Path, mode: u32) {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    }

    #[tokio::test]
    async fn creates_everything_for_its_user_only() {
        let mut scene = Scene::new();
        let folder = scene.path.with_file_name("var");
        scene.path = folder.join("lib/vault.mbv");
        let vault = scene.open().await.unwrap();
        let check_modes = || {
            assert_eq!(mode(&folder), 0o700);
            assert_eq!(mode(&folder.join("lib")), 0o700);
            assert_eq!(mode(&scene.path), 0o600);
            assert_eq!(mode(&scene.beside(".lock")), 0o600);
        };
        check_modes();
        write(&vault, "a", "1").await;
        check_modes();
    }

    #[tokio::test]
    async fn refuses_a_file_that_others_may_read() {
        let scene = Scene::new();
        let vault = scene.open().await.unwrap();
        write(&vault, "a", "1").await;
        let before = fs::read(&scene.path).unwrap();
        for exposed in [0o644, 0o640, 0o604, 0o660, 0o606, 0o777] {
            set_mode(&scene.path, exposed);
            for error in [
                scene.open().await.unwrap_err(),
                vault.read("a").await.unwrap_err(),
                vault.write("a", &SecretBytes::default()).await.unwrap_err(),
            ] {
                assert_eq!(error.code(), "vault-file-exposed", "{exposed:o}");
                assert!(error.problem().fix.starts_with("chmod 600 "), "{error:?}");
            }
        }
        assert_eq!(fs::read(&scene.path).unwrap(), before);
        set_mode(&scene.path, 0o600);
        assert_eq!(read(&vault, "a").await.unwrap(), "1");
    }

    #[tokio::test]
    async fn refuses_a_file_of_another_user() {
        // It is root's and everybody may read it: one of both is wrong for whoever runs this test.
        let error = open(Path::new("/etc/passwd"), "correct horse").await;
        assert_eq!(error.unwrap_err().code(), "vault-file-exposed");
    }

    #[tokio::test]
    async fn reads_where_it_may_not_write_and_says_what_it_may_not() {
        if rustix::process::geteuid().is_root() {
            // Root may do everything everywhere: there is nothing to see.
            return;
        }
        let scene = Scene::new();
        let folder = scene.path.parent().unwrap();
        write(&scene.open().await.unwrap(), "a", "1").await;
        fs::remove_file(scene.beside(".lock")).unwrap();
        set_mode(folder, 0o500);
        let vault = scene.open().await.unwrap();
        assert_eq!(read(&vault, "a").await.unwrap(), "1");
        let error = vault.write("a", &SecretBytes::default()).await.unwrap_err();
        assert_eq!(error.code(), "vault-write-failed");
        set_mode(&scene.path, 0o000);
        let error = scene.open().await.unwrap_err();
        assert_eq!(error.code(), "vault-file-unreadable");
        set_mode(folder, 0o700);
    }
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Runtime::new().unwrap().block_on(future)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn refuses_arbitrary_octets(octets: Vec<u8>) {
        block_on(async {
            let error = Scene::new().refuses(&octets).await;
            assert!(error.code().starts_with("vault-file-"), "{error:?}");
        });
    }

    #[test]
    fn gives_back_arbitrary_records(
        records in proptest::collection::btree_map("[a-zA-Z0-9._/@+-]{1,200}", any::<Vec<u8>>(), 1..4)
    ) {
        block_on(async {
            let scene = Scene::new();
            let vault = scene.open().await.unwrap();
            for (key, value) in &records {
                vault.write(key, &value.clone().into()).await.unwrap();
            }
            let vault = scene.open().await.unwrap();
            for (key, value) in &records {
                assert_eq!(vault.read(key).await.unwrap().unwrap().expose(), value);
            }
            assert_eq!(vault.keys("").await.unwrap().len(), records.len());
        });
    }
}

fn fixture() -> Vec<u8> {
    let digits: Vec<_> = FIXTURE.bytes().filter(u8::is_ascii_hexdigit).collect();
    digits
        .chunks(2)
        .map(|pair| u8::from_str_radix(str::from_utf8(pair).unwrap(), 16).unwrap())
        .collect()
}

/// Passphrase `correct horse`; 64 KiB, 2 passes, 2 lanes; `account/billing` is `{}`, `token/billing` is `refresh`.
const FIXTURE: &str = "
    4d425641554c540000000001000000400000000200000002000102030405060708090a0b0c0d0e0f
    66f45e3267de94bddf4d9f4de25496da7c941668907a7badf17331880348fca56465666768696a6b
    6c6d6e6f707172737475767778797a7b29b5b820223ffb8894c72aa44e165baa3c73806de5af39c8
    b997a1be9dac1dd8900b8e5e4306024f36114b3f99877dac2ba0695131c787a56679fdd63d7ee904
    fd1ad424b3b7b940a4b6b3740d1ecb6f02a1a3f3b73e2efe21b61de79b5583f03e
";

#[tokio::test]
async fn others_go_on_when_their_source_gives_the_new_passphrase() {
    let scene = Scene::new();
    let key_file = scene.beside(".key");
    let put = |passphrase: &str| {
        let _ = fs::remove_file(&key_file);
        let mut options = crate::vault::permission::opening();
        let mut file = options
            .write(true)
            .create_new(true)
            .open(&key_file)
            .unwrap();
        io::Write::write_all(&mut file, passphrase.as_bytes()).unwrap();
    };
    put("correct horse");
    let path = key_file.display().to_string();
    let source = Passphrase::KeyFile { path };
    let (one, other) = (
        open_from(&scene.path, &source).await.unwrap(),
        open_from(&scene.path, &source).await.unwrap(),
    );
    write(&one, "a", "1").await;
    assert_eq!(read(&other, "a").await.unwrap(), "1");
    let text = crate::vault::contract::text("battery staple");
    one.rotate(&text).await.unwrap();
    assert_eq!(read(&one, "a").await.unwrap(), "1");
    put("battery staple");
    assert_eq!(read(&other, "a").await.unwrap(), "1");
    write(&other, "a", "2").await;
    assert_eq!(read(&one, "a").await.unwrap(), "2");
    let error = scene.open().await.unwrap_err();
    assert_eq!(error.code(), "vault-passphrase-wrong");
}
