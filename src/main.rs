//! The `evalh` program: reads its arguments, environment and folder once and hands them over.

fn main() -> std::process::ExitCode {
    let text = |s: std::ffi::OsString| s.to_string_lossy().into_owned();
    let variables = std::env::vars_os()
        .map(|(name, value)| (text(name), text(value)))
        .collect();
    // A folder that is gone leaves relative paths to fail by name later.
    let folder = std::env::current_dir().unwrap_or_default();
    evalh::ops::main(std::env::args_os().collect(), variables, folder).into()
}
