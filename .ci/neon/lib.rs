//! The kernels of evalh with nothing around them, for `.ci/neon-check`.
#![allow(
    dead_code,
    unused_macros,
    unused_imports,
    reason = "the rest of the program, which uses them, is not here"
)]

#[path = "."]
mod modelfile {
    #[path = "../../src/modelfile/ggml_type.rs"]
    #[allow(
        unfulfilled_lint_expectations,
        reason = "lints of the whole program are not in force here"
    )]
    mod ggml_type;
    pub(crate) use ggml_type::GgmlType;
}

#[path = "."]
mod engine {
    #[path = "../../src/engine/kernels/mod.rs"]
    pub(crate) mod kernels;
}
