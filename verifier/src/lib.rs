//! Under construction in this commit; see the package description.
#![forbid(unsafe_code)]
