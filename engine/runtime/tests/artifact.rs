//! Artifacts: modules that are compiled once and mapped later, and files that are damaged or of another kind.

#![forbid(unsafe_code)]

use skerry_runtime::{
    ArtifactError, Config, Engine, Error, Instance, Module, Store, TrapCode, TrustStore,
};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

/// The place of the authentication code in an artifact.
const CODE: std::ops::Range<usize> = 88..120;

/// A module with some of everything that an artifact carries.
const TEXT: &str = r#"(module $everything
    (type $two (func (param i32 i64) (result i64)))
    (memory (export "memory") 3)
    (memory $small 1)
    (global (export "global") (mut i64) (i64.const -5))
    (table (export "table") 4 funcref)
    (elem (i32.const 1) $add $get)
    (table $constant 3 funcref)
    (elem (table $constant) (i32.const 1) func $add $divide)
    (elem $passive funcref (ref.func $add) (ref.null func))
    (data (i32.const 0x5ffe) "an image over two pages")
    (data (memory $small) (i32.const 7) "small")
    (data $late "passive")
    (func $add (export "add") (type $two) (i64.add (i64.extend_i32_s (local.get 0)) (local.get 1)))
    (func $get (export "get") (param i32) (result i32) (i32.load8_u (local.get 0)))
    (func (export "indirect") (param i32) (result i64)
        (call_indirect (type $two) (i32.const 2) (i64.const 40) (local.get 0)))
    (func (export "constant") (param i32) (result i64)
        (call_indirect $constant (type $two) (i32.const 2) (i64.const 50) (local.get 0)))
    (func (export "init") (memory.init $late (i32.const 0) (i32.const 0) (i32.const 7)))
    (func $divide (export "divide") (param i32) (result i32)
        (i32.div_u (i32.const 1) (local.get 0))))"#;

fn compiled(engine: &Engine) -> Module {
    Module::from_text(engine, TEXT).expect("the text is a module")
}

fn trust() -> TrustStore {
    TrustStore::of_user().expect("the tests have a key")
}

/// The artifact of a module's text, which this user's Skerry has written.
fn artifact(engine: &Engine, text: &str) -> Vec<u8> {
    let wasm = wat::parse_str(text).unwrap();
    let mut bytes = Vec::new();
    Module::compile_to(engine, &wasm, Some(&trust()), &|_| (), &mut bytes).unwrap();
    bytes
}

/// The module of an artifact with these bytes.
fn load(engine: &Engine, bytes: &[u8]) -> Result<Module, Error> {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), bytes).unwrap();
    Module::deserialize_trusted_file(engine, &trust(), file.path())
}

fn instance(engine: &Engine, module: &Module) -> (Store<()>, Instance) {
    let mut store = Store::new(engine, ());
    let instance = Instance::new(&mut store, module, &[]).expect("it needs no imports");
    (store, instance)
}

/// Uses every part of the module that `TEXT` is the source of.
#[track_caller]
fn check(engine: &Engine, module: &Module) {
    assert_eq!(module.name(), Some("everything"));
    assert_eq!(module.exports().len(), 9);
    let (mut store, instance) = instance(engine, module);
    let memory = instance.get_memory(&mut store, "memory").unwrap();
    assert_eq!(
        &memory.data(&store)[0x5ffd..0x6016],
        b"\0an image over two pages\0"
    );
    for (name, expected) in [("indirect", 42), ("constant", 52)] {
        let indirect = instance
            .get_typed_func::<i32, i64>(&mut store, name)
            .unwrap();
        assert_eq!(indirect.call(&mut store, 1).unwrap(), expected);
        let null = indirect.call(&mut store, 0).unwrap_err();
        assert_eq!(null.trap_code(), Some(TrapCode::IndirectCallToNull));
    }
    let init = instance
        .get_typed_func::<(), ()>(&mut store, "init")
        .unwrap();
    init.call(&mut store, ()).unwrap();
    let get = instance
        .get_typed_func::<i32, i32>(&mut store, "get")
        .unwrap();
    assert_eq!(get.call(&mut store, 6).unwrap(), i32::from(b'e'));
    let far = get.call(&mut store, 3 << 16).unwrap_err();
    assert_eq!(far.trap_code(), Some(TrapCode::MemoryOutOfBounds));
    let divide = instance
        .get_typed_func::<i32, i32>(&mut store, "divide")
        .unwrap();
    let trap = divide.call(&mut store, 0).unwrap_err();
    assert_eq!(trap.trap_code(), Some(TrapCode::IntegerDivisionByZero));
    let frame = &trap.backtrace().unwrap().frames()[0];
    assert_eq!(
        (frame.func_name(), frame.wasm_offset().is_some()),
        (Some("divide"), true)
    );
}

fn artifact_error(result: Result<Module, Error>) -> ArtifactError {
    match result {
        Err(Error::Artifact(error)) => error,
        Err(other) => panic!("another error: {other}"),
        Ok(_) => panic!("it was accepted"),
    }
}

#[test]
fn a_module_comes_back_from_bytes_and_from_a_file() {
    let engine = Engine::default();
    let module = compiled(&engine);
    check(&engine, &module);
    let bytes = artifact(&engine, TEXT);
    assert!(Module::is_artifact(&bytes[..8]) && !Module::is_artifact(b"\0asm\x01\0\0\0"));
    let again = load(&engine, &bytes).unwrap();
    check(&engine, &again);
    // A module that was mapped is written again with the same bytes, except for the authentication code.
    let mut without = bytes.clone();
    without[CODE].fill(0);
    assert_eq!(again.serialize(), without);
    assert_eq!(module.serialize(), without);

    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("module.cwasm");
    std::fs::write(&path, &bytes).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o400)).unwrap();
    let mapped = Module::deserialize_trusted_file(&Engine::default(), &trust(), &path);
    // A file that was removed stays until it is no longer used.
    std::fs::remove_file(&path).unwrap();
    let mapped = mapped.unwrap();
    check(mapped.engine(), &mapped);
}

#[test]
fn cut_or_changed_artifacts_are_errors() {
    let engine = Engine::default();
    let bytes = artifact(&engine, TEXT);
    let read = |bytes: &[u8]| artifact_error(load(&engine, bytes));
    for len in (0..bytes.len())
        .step_by(61)
        .chain(bytes.len() - 3..bytes.len())
    {
        let error = read(&bytes[..len]);
        let expected = match len {
            0..8 => matches!(error, ArtifactError::NotAnArtifact | ArtifactError::Read(_)),
            _ => matches!(error, ArtifactError::Length { .. }),
        };
        assert!(expected, "the first {len} bytes: {error}");
    }
    let mut changed = bytes.clone();
    for at in (0..bytes.len()).step_by(29).chain(0..600) {
        changed[at] ^= 1 << (at % 8);
        let error = read(&changed);
        let expected = match at {
            0..8 => matches!(error, ArtifactError::NotAnArtifact),
            8..12 => matches!(error, ArtifactError::Format { .. }),
            16..24 => matches!(error, ArtifactError::Length { .. }),
            at if CODE.contains(&at) => matches!(error, ArtifactError::Untrusted),
            _ => matches!(error, ArtifactError::Corrupt { .. }),
        };
        assert!(expected, "byte {at}: {error}");
        changed[at] ^= 1 << (at % 8);
    }
    assert!(load(&engine, &changed).is_ok());
}

#[test]
fn what_nobody_stands_behind_is_refused_until_the_user_says_so() {
    let engine = Engine::default();
    let text = r#"(module (func (export "only in this test")))"#;
    let bytes = Module::from_text(&engine, text).unwrap().serialize();
    let refused = artifact_error(load(&engine, &bytes));
    assert!(matches!(refused, ArtifactError::Untrusted));
    assert!(refused.to_string().contains("skerry trust"), "{refused}");
    let mark = trust().mark_of(&bytes);
    std::fs::create_dir_all(mark.parent().unwrap()).unwrap();
    std::fs::write(&mark, "").unwrap();
    let loaded = load(&engine, &bytes);
    std::fs::remove_file(&mark).unwrap();
    assert_eq!(loaded.unwrap().exports().len(), 1);
    assert!(load(&engine, &bytes).is_err());
}

#[test]
fn what_is_no_file_is_refused_and_not_waited_for() {
    let directory = tempfile::tempdir().unwrap();
    let [fifo, socket] = ["fifo", "socket"].map(|name| directory.path().join(name));
    rustix::fs::mkfifoat(rustix::fs::CWD, &fifo, rustix::fs::Mode::from(0o600)).unwrap();
    let _listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
    let others = ["/nonexistent", "/dev/zero", "/dev/null", "/"].map(Path::new);
    for path in others.into_iter().chain([&*fifo, &*socket]) {
        let opened = Module::deserialize_trusted_file(&Engine::default(), &trust(), path);
        let error = artifact_error(opened);
        assert!(matches!(error, ArtifactError::Read(_)), "{path:?}: {error}");
    }
}

#[test]
fn instances_share_an_image_until_they_write() {
    // The first image is so small that it is copied; the second is mapped.
    for size in [1000, 200_000] {
        let text = format!(
            r#"(module (memory (export "memory") 8)
                (data (i32.const 0x11003) "{}")
                (func (export "grow") (result i32) (memory.grow (i32.const 5))))"#,
            "abcdefgh".repeat(size / 8)
        );
        let engine = Engine::default();
        let module = Module::from_text(&engine, &text).unwrap();
        let loaded = load(&engine, &artifact(&engine, &text)).unwrap();
        for module in [module, loaded] {
            let (mut a, first) = instance(&engine, &module);
            let (mut b, second) = instance(&engine, &module);
            let memory = first.get_memory(&mut a, "memory").unwrap();
            let data = memory.data_mut(&mut a);
            let end = 0x11003 + size;
            assert!(
                data[..0x11003]
                    .iter()
                    .chain(&data[end..])
                    .all(|&byte| byte == 0)
            );
            assert_eq!(&data[0x11003..0x1100b], b"abcdefgh");
            assert_eq!(&data[end - 8..end], b"abcdefgh");
            data.fill(b'x');
            let grow = first.get_typed_func::<(), i32>(&mut a, "grow").unwrap();
            assert_eq!(grow.call(&mut a, ()).unwrap(), 8);
            assert_eq!(memory.data(&a)[8 << 16..], [0; 5 << 16]);
            let other = second.get_memory(&mut b, "memory").unwrap();
            assert_eq!(&other.data(&b)[0x11002..0x11005], b"\0ab");
            let (mut c, third) = instance(&engine, &module);
            let fresh = third.get_memory(&mut c, "memory").unwrap();
            assert_eq!(&fresh.data(&c)[0x11002..0x11005], b"\0ab");
        }
    }
}

#[test]
fn segments_before_a_trap_stay_and_none_after_it() {
    let engine = Engine::default();
    let owner = r#"(module (table (export "table") 4 funcref) (memory (export "memory") 1))"#;
    let owner = Module::from_text(&engine, owner).unwrap();
    // The function that reads memory 0 of the failed instance stays reachable through the table.
    let failing = |elements: &str, data: &str| {
        let text = format!(
            r#"(module (import "o" "table" (table 4 funcref)) (memory 3)
                (elem (i32.const 0) $get) {elements}
                (data (i32.const 1) "A") {data} (data (i32.const 2) "B")
                (func $get (param i32) (result i32) (i32.load8_u (local.get 0))))"#
        );
        let module = Module::from_text(&engine, &text).unwrap();
        let (mut store, owner) = instance(&engine, &owner);
        let table = owner.get_export(&mut store, "table").unwrap();
        let error = Instance::new(&mut store, &module, &[table]).unwrap_err();
        let table = owner.get_table(&mut store, "table").unwrap();
        let skerry_runtime::Val::FuncRef(Some(get)) = table.get(&mut store, 0).unwrap() else {
            panic!("the first element segment was written")
        };
        let get = get.typed::<i32, i32>(&store).unwrap();
        let read = [1, 2].map(|at| get.call(&mut store, at).unwrap());
        (error.trap_code().unwrap(), read)
    };
    let a = i32::from(b'A');
    let wide = r#"(data (i32.const 0x2ffff) "12")"#;
    assert_eq!(failing("", wide), (TrapCode::MemoryOutOfBounds, [a, 0]));
    let elements = "(elem (i32.const 4) $get)";
    assert_eq!(failing(elements, ""), (TrapCode::TableOutOfBounds, [0, 0]));
}

/// An engine that counts fuel loads only code that counts it, and any other engine only code that does not.
#[test]
fn code_counts_fuel_as_the_engine_does() {
    let plain = Engine::default();
    let counting = Engine::new(Config::new().consume_fuel(true)).unwrap();
    let text = r#"(module (func (export "f") (drop (i32.const 1))))"#;
    let module = load(&counting, &artifact(&counting, text)).unwrap();
    let (mut store, instance) = instance(&counting, &module);
    store.set_fuel(10).unwrap();
    let f = instance.get_typed_func::<(), ()>(&mut store, "f").unwrap();
    f.call(&mut store, ()).unwrap();
    assert_eq!(store.get_fuel().unwrap(), 8);
    let refused = |engine, made_by| {
        let refused = load(engine, &artifact(made_by, text)).unwrap_err();
        refused.to_string()
    };
    let message = refused(&plain, &counting);
    assert!(
        message.contains("the code of the artifact counts fuel"),
        "{message}"
    );
    let message = refused(&counting, &plain);
    assert!(
        message.contains("the code of the artifact does not count fuel"),
        "{message}"
    );
}
