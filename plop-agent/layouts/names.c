// Prints the row of src/names.rs for the CPython whose headers it is compiled against.

#define Py_BUILD_CORE 1
#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <stddef.h>
#include <stdio.h>

#if PY_VERSION_HEX >= 0x030b0000
#include <internal/pycore_dict.h>
#include <internal/pycore_moduleobject.h>
#include <internal/pycore_object.h>
#endif
#if PY_VERSION_HEX >= 0x03090000
#include <internal/pycore_interp.h>
#endif
#include <internal/pycore_pystate.h>

#define AT(type, field) (int)offsetof(type, field)

#if PY_VERSION_HEX >= 0x030c0000
#define MODULES AT(PyInterpreterState, imports.modules)
#else
#define MODULES AT(PyInterpreterState, modules)
#endif

#if PY_VERSION_HEX >= 0x030d0000
#define ATTRIBUTES "Inline"
#define VALUES AT(struct _dictvalues, values)
#elif PY_VERSION_HEX >= 0x030c0000
#define ATTRIBUTES "Tagged"
#define VALUES AT(struct _dictvalues, values)
#elif PY_VERSION_HEX >= 0x030b0000
#define ATTRIBUTES "Beside"
#define VALUES AT(struct _dictvalues, values)
#else
#define ATTRIBUTES "Dict"
#define VALUES 0
#endif

// Up to 3.10 the headers do not tell these; the test that reads running interpreters shows them.
#if PY_VERSION_HEX >= 0x030b0000
#define MODULE_DICT AT(PyModuleObject, md_dict)
#define KEYS_SIZE AT(struct _dictkeysobject, dk_log2_size)
#define KEYS_COUNT AT(struct _dictkeysobject, dk_nentries)
#define KEYS_INDICES AT(struct _dictkeysobject, dk_indices)
#else
#define MODULE_DICT 16
#define KEYS_SIZE 8
#define KEYS_COUNT 32
#define KEYS_INDICES 40
#endif

#ifdef Py_GIL_DISABLED
#define FREE_THREADED "true"
#define HEAD 32
#define MANAGED_DICT -8
#else
#define FREE_THREADED "false"
#define HEAD 16
#define MANAGED_DICT -24
#endif

// What src/names.rs takes to be the same in all versions.
_Static_assert(offsetof(PyVarObject, ob_size) == HEAD, "int size");
#if PY_VERSION_HEX >= 0x030c0000
_Static_assert(offsetof(PyLongObject, long_value.lv_tag) == HEAD, "int tag");
_Static_assert(offsetof(PyLongObject, long_value.ob_digit) == HEAD + 8, "int digits");
#else
_Static_assert(offsetof(struct _longobject, ob_digit) == 24, "int digits");
#endif
_Static_assert(PyLong_SHIFT == 30, "bits of a digit");
_Static_assert(Py_TPFLAGS_HEAPTYPE == 1 << 9 && Py_TPFLAGS_READY == 1 << 12, "flags");
#if PY_VERSION_HEX >= 0x030b0000
_Static_assert(offsetof(struct _dictkeysobject, dk_log2_index_bytes) == KEYS_SIZE + 1, "index bytes");
_Static_assert(offsetof(struct _dictkeysobject, dk_kind) == KEYS_SIZE + 2, "kind");
_Static_assert(DICT_KEYS_GENERAL == 0 && DICT_KEYS_UNICODE == 1 && DICT_KEYS_SPLIT == 2, "kinds");
_Static_assert(sizeof(PyDictKeyEntry) == 24 && offsetof(PyDictKeyEntry, me_key) == 8, "entry");
_Static_assert(sizeof(PyDictUnicodeEntry) == 16 && offsetof(PyDictUnicodeEntry, me_key) == 0, "entry");
_Static_assert(Py_TPFLAGS_MANAGED_DICT == 1 << 4, "flags");
#endif
#if PY_VERSION_HEX >= 0x030d0000
_Static_assert(offsetof(struct _dictvalues, capacity) == 0, "capacity");
_Static_assert(offsetof(struct _dictvalues, valid) == 3, "valid");
_Static_assert(Py_TPFLAGS_INLINE_VALUES == 1 << 2 && MANAGED_DICT_OFFSET == MANAGED_DICT, "inline values");
#elif PY_VERSION_HEX >= 0x030b0000 && PY_VERSION_HEX < 0x030c0000
_Static_assert(MANAGED_DICT_OFFSET == -24, "values");
#endif

int main(void) {
    printf("Offsets { version: 0x%04x, free_threaded: %s, head: %d, managed_dict: %d, ", PY_VERSION_HEX >> 16,
           FREE_THREADED, HEAD, MANAGED_DICT);
    printf("modules: %d, module_dict: %d, ", MODULES, MODULE_DICT);
    printf("type_basicsize: %d, type_flags: %d, type_dictoffset: %d, type_cached_keys: %d, ",
           AT(PyTypeObject, tp_basicsize), AT(PyTypeObject, tp_flags), AT(PyTypeObject, tp_dictoffset),
           AT(PyHeapTypeObject, ht_cached_keys));
    printf("dict_keys: %d, dict_values: %d, ", AT(PyDictObject, ma_keys), AT(PyDictObject, ma_values));
    printf("keys_size: %d, keys_count: %d, keys_indices: %d, ", KEYS_SIZE, KEYS_COUNT, KEYS_INDICES);
    printf("attributes: %s, values: %d }\n", ATTRIBUTES, VALUES);
}
