//! Extractor macros are expanded in the rules, except those of CLIF operators (whose template is an
//! `inst_data_value` pattern), which stay opaque terms with a spec.

use cranelift_isle::ast::{Def, Pattern};
use std::collections::HashMap;

/// The term whose patterns mark the templates of CLIF operators.
const OPERATOR_TEMPLATE: &str = "inst_data_value";

/// Whether an extractor macro is that of a CLIF operator.
#[must_use]
pub fn is_operator(template: &Pattern) -> bool {
    template
        .root_term()
        .is_some_and(|term| term.0 == OPERATOR_TEMPLATE)
}

/// Replaces uses of extractor macros, other than CLIF operators and those that have a spec, by their
/// templates. A macro with a spec would be trusted; [`crate::lint`] refuses it.
pub fn expand_extractors(defs: &mut [Def]) {
    let mut templates: HashMap<String, Pattern> = HashMap::new();
    for def in defs.iter() {
        if let Def::Extractor(extractor) = def
            && !is_operator(&extractor.template)
        {
            let template = extractor.template.make_macro_template(&extractor.args);
            templates.insert(extractor.term.0.clone(), template);
        }
    }
    if templates.is_empty() {
        return;
    }
    for def in defs {
        if let Def::Rule(rule) = def {
            // The root of a rule's pattern is the rule's own term, which is never a macro.
            if let Pattern::Term { args, .. } = &mut rule.pattern {
                for arg in args {
                    *arg = expand_pattern(arg, &templates, 0);
                }
            }
            for iflet in &mut rule.iflets {
                iflet.pattern = expand_pattern(&iflet.pattern, &templates, 0);
            }
        }
    }
}

fn expand_pattern(pattern: &Pattern, templates: &HashMap<String, Pattern>, depth: u32) -> Pattern {
    match pattern {
        Pattern::BindPattern { var, subpat, pos } => Pattern::BindPattern {
            var: var.clone(),
            subpat: Box::new(expand_pattern(subpat, templates, depth)),
            pos: *pos,
        },
        Pattern::And { subpats, pos } => Pattern::And {
            subpats: subpats
                .iter()
                .map(|subpat| expand_pattern(subpat, templates, depth))
                .collect(),
            pos: *pos,
        },
        Pattern::Term { sym, args, pos } => {
            let args: Vec<Pattern> = args
                .iter()
                .map(|arg| expand_pattern(arg, templates, depth))
                .collect();
            // ISLE itself refuses recursive macros; the limit on the depth only keeps this loop finite.
            match templates.get(&sym.0) {
                Some(template) if depth < 64 => match template.subst_macro_args(&args) {
                    Some(expanded) => expand_pattern(&expanded, templates, depth + 1),
                    None => Pattern::Term {
                        sym: sym.clone(),
                        args,
                        pos: *pos,
                    },
                },
                _ => Pattern::Term {
                    sym: sym.clone(),
                    args,
                    pos: *pos,
                },
            }
        }
        other => other.clone(),
    }
}
