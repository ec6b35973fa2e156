//! Names that a pickle asks Python for: which of them run programs, and which burn-store reads.

/// Modules of Python whose functions run programs, load code or reach the network. The reader never calls anything, so
/// a name that is missing here does no harm. A name that is listed here shows that the file was made to attack.
const RUNS_PROGRAMS: &[&str] = &[
    "_pickle",
    "asyncio",
    "bdb",
    "cloudpickle",
    "code",
    "codeop",
    "commands",
    "ctypes",
    "dill",
    "ftplib",
    "http",
    "imp",
    "importlib",
    "joblib",
    "marshal",
    "multiprocessing",
    "nt",
    "operator",
    "os",
    "pdb",
    "pickle",
    "pip",
    "pkgutil",
    "popen2",
    "posix",
    "pty",
    "requests",
    "runpy",
    "shutil",
    "site",
    "smtplib",
    "socket",
    "subprocess",
    "sys",
    "telnetlib",
    "tempfile",
    "timeit",
    "trace",
    "types",
    "urllib",
    "webbrowser",
    "zipimport",
];

/// Functions of PyTorch and NumPy that run programs or load code.
const RUNS_PROGRAMS_BY_NAME: &[(&str, &str)] = &[
    ("numpy", "load"),
    ("torch", "compile"),
    ("torch", "load"),
    ("torch.hub", "load"),
    ("torch.jit", "load"),
    ("torch.serialization", "load"),
];

/// The built-in names of Python that stand for plain values, of Python 2 too, since pickles of its protocols have those. With
/// `getattr` alone nothing is run: pickles name what belongs to a class by it. All others, such as `eval`, run code.
const PLAIN_BUILTINS: &[&str] = &[
    "Ellipsis",
    "NotImplemented",
    "basestring",
    "bool",
    "bytearray",
    "bytes",
    "complex",
    "dict",
    "float",
    "frozenset",
    "getattr",
    "int",
    "list",
    "long",
    "object",
    "range",
    "set",
    "slice",
    "str",
    "tuple",
    "type",
    "unicode",
    "xrange",
];

/// What `types` has of plain values; its other names make code.
const PLAIN_TYPES: &[&str] = &[
    "MappingProxyType",
    "MethodType",
    "NoneType",
    "SimpleNamespace",
];

/// Whether Python runs a program, or code from elsewhere, for this name.
pub(crate) fn runs_programs(module: &str, name: &str) -> bool {
    let package = module.split('.').next().unwrap_or_default();
    match module {
        "builtins" | "__builtin__" => !PLAIN_BUILTINS.contains(&name),
        "types" => !PLAIN_TYPES.contains(&name),
        _ => RUNS_PROGRAMS.contains(&package) || RUNS_PROGRAMS_BY_NAME.contains(&(module, name)),
    }
}

/// Whether burn-store builds what the name stands for: tensors, and plain containers.
pub(crate) fn is_built(module: &str, name: &str) -> bool {
    match module {
        "builtins" | "__builtin__" | "torch._utils" | "torch._tensor" => true,
        _ => (module, name) == ("collections", "OrderedDict"),
    }
}
