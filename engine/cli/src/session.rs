//! The engine as test scripts use it: a store that lives as long as the script, instances by
//! number, and failures sorted by the kinds that the assertions tell apart.

use crate::options::Edition;
use crate::wast::Value;

/// A compiled module of a [`Session`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ModuleIndex(usize);

/// An instance of a [`Session`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InstanceIndex(usize);

/// Why something did not work, as the assertions of test scripts tell it apart.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// The module is malformed or invalid.
    #[error("invalid module: {0}")]
    Invalid(String),
    /// The engine lacks something that the module uses.
    #[error("unsupported: {0}")]
    Unsupported(String),
    /// An import is missing or of another type.
    #[error("unlinkable: {0}")]
    Unlinkable(String),
    /// The code trapped.
    #[error("trap: {0}")]
    Trap(String),
    /// The script asks for an export that there is not, or calls it with other types.
    #[error("{0}")]
    Script(String),
}

/// One script's store.
pub struct Session {
    _edition: Edition,
}

impl Session {
    /// An empty store with the `spectest` module to import from.
    pub fn new(edition: Edition) -> Session {
        Session { _edition: edition }
    }

    /// Validates and compiles a module.
    pub fn compile(&mut self, _wasm: &[u8]) -> Result<ModuleIndex, Failure> {
        Err(Failure::Unsupported("the runtime is not connected".into()))
    }

    /// Links a module to what is registered and starts it.
    pub fn instantiate(&mut self, _module: ModuleIndex) -> Result<InstanceIndex, Failure> {
        Err(Failure::Unsupported("the runtime is not connected".into()))
    }

    /// Lets later modules import from this instance under `name`.
    pub fn register(&mut self, _name: &str, _instance: InstanceIndex) -> Result<(), Failure> {
        Err(Failure::Unsupported("the runtime is not connected".into()))
    }

    /// Calls an exported function.
    pub fn invoke(
        &mut self,
        _instance: InstanceIndex,
        _name: &str,
        _arguments: &[Value],
    ) -> Result<Vec<Value>, Failure> {
        Err(Failure::Unsupported("the runtime is not connected".into()))
    }

    /// The value of an exported global.
    pub fn get(&mut self, _instance: InstanceIndex, _name: &str) -> Result<Value, Failure> {
        Err(Failure::Unsupported("the runtime is not connected".into()))
    }
}
