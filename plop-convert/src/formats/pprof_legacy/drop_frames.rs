//! pprof's expressions for frames that belong to the measuring and not to the program. They are for
//! whoever opens the profile in pprof; nothing here applies them.

use plop_core::ValueType;

/// The expressions for frames to drop and to keep, which go by the kinds of the values.
pub(super) fn of(values: &[ValueType]) -> (String, String) {
    let kinds: Vec<&str> = values.iter().map(|value| value.kind.as_str()).collect();
    let drop: Vec<&str> = match kinds[..] {
        ["allocations", "size"]
        | ["objects", "space"]
        | ["inuse_objects", "inuse_space"]
        | ["alloc_objects", "alloc_space"]
        | [
            "alloc_objects",
            "alloc_space",
            "inuse_objects",
            "inuse_space",
        ] => {
            return (HEAP.concat().join("|"), KEPT_IN_HEAP.join("|"));
        }
        ["contentions", "delay"] => LOCKS.to_vec(),
        _ => HANDLERS.to_vec(),
    };
    (drop.join("|"), String::new())
}

const HEAP: [&[&str]; 5] = [POSIX, TCMALLOC, MAC_OS, &[r"runtime\..*"], OTHER_ALLOCATORS];

const POSIX: &[&str] = &[
    "calloc",
    "cfree",
    "malloc",
    "free",
    "memalign",
    "do_memalign",
    "(__)?posix_memalign",
    "pvalloc",
    "valloc",
    "realloc",
];

const TCMALLOC: &[&str] = &[
    "tcmalloc::.*",
    "tc_calloc",
    "tc_cfree",
    "tc_malloc",
    "tc_free",
    "tc_memalign",
    "tc_posix_memalign",
    "tc_pvalloc",
    "tc_valloc",
    "tc_realloc",
    "tc_new",
    "tc_delete",
    "tc_newarray",
    "tc_deletearray",
    "tc_new_nothrow",
    "tc_newarray_nothrow",
];

const MAC_OS: &[&str] = &[
    "malloc_zone_malloc",
    "malloc_zone_calloc",
    "malloc_zone_valloc",
    "malloc_zone_realloc",
    "malloc_zone_memalign",
    "malloc_zone_free",
];

const OTHER_ALLOCATORS: &[&str] = &[
    "BaseArena::.*",
    "(::)?do_malloc_no_errno",
    "(::)?do_malloc_pages",
    "(::)?do_malloc",
    "DoSampledAllocation",
    "MallocedMemBlock::MallocedMemBlock",
    "_M_allocate",
    "__builtin_(vec_)?delete",
    "__builtin_(vec_)?new",
    "__gnu_cxx::new_allocator::allocate",
    "__libc_malloc",
    "__malloc_alloc_template::allocate",
    "allocate",
    "cpp_alloc",
    r"operator new(\[\])?",
    "simple_alloc::allocate",
];

const KEPT_IN_HEAP: &[&str] = &[
    r"runtime\.panic",
    r"runtime\.reflectcall",
    r"runtime\.call[0-9]*",
];

const LOCKS: &[&str] = &[
    "RecordLockProfileData",
    "(base::)?RecordLockProfileData.*",
    "(base::)?SubmitMutexProfileData.*",
    "(base::)?SubmitSpinLockProfileData.*",
    "(base::Mutex::)?AwaitCommon.*",
    "(base::Mutex::)?Unlock.*",
    "(base::Mutex::)?UnlockSlow.*",
    "(base::Mutex::)?ReaderUnlock.*",
    "(base::MutexLock::)?~MutexLock.*",
    "(Mutex::)?AwaitCommon.*",
    "(Mutex::)?Unlock.*",
    "(Mutex::)?UnlockSlow.*",
    "(Mutex::)?ReaderUnlock.*",
    "(MutexLock::)?~MutexLock.*",
    "(SpinLock::)?Unlock.*",
    "(SpinLock::)?SlowUnlock.*",
    "(SpinLockHolder::)?~SpinLockHolder.*",
];

const HANDLERS: &[&str] = &[
    "ProfileData::Add",
    "ProfileData::prof_handler",
    "CpuProfiler::prof_handler",
    "__pthread_sighandler",
    "__restore",
];
