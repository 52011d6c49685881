//! Runs the lab; started by `integration/lab.sh`, in namespaces of its own.

fn main() -> std::process::ExitCode {
    hoplock_integration::lab::run::main()
}
