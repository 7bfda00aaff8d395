// Prints the row of src/layout.rs for the CPython whose headers it is compiled against.

#define Py_BUILD_CORE 1
#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <frameobject.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#if PY_VERSION_HEX >= 0x030e0000
#include <internal/pycore_interpframe_structs.h>
#endif
#if PY_VERSION_HEX >= 0x030b0000
#include <internal/pycore_frame.h>
#endif
#if PY_VERSION_HEX >= 0x03090000
#include <internal/pycore_interp.h>
#include <internal/pycore_runtime.h>
#endif
#include <internal/pycore_gil.h>
#include <internal/pycore_pystate.h>

#define AT(type, field) (int)offsetof(type, field)
#define NONE (-1)

#if PY_VERSION_HEX >= 0x030d0000
#define FRAME _PyInterpreterFrame
#define TSTATE_FRAME AT(PyThreadState, current_frame)
#define TSTATE_CHUNK NONE
#define CFRAME_CURRENT NONE
#define FRAME_CODE AT(FRAME, f_executable)
#define FRAME_LASTI AT(FRAME, instr_ptr)
#elif PY_VERSION_HEX >= 0x030b0000
#define FRAME _PyInterpreterFrame
#define TSTATE_FRAME AT(PyThreadState, cframe)
#define TSTATE_CHUNK AT(PyThreadState, datastack_chunk)
#define CFRAME_CURRENT AT(_PyCFrame, current_frame)
#define FRAME_CODE AT(FRAME, f_code)
#define FRAME_LASTI AT(FRAME, prev_instr)
#else
#define FRAME PyFrameObject
#define TSTATE_FRAME AT(PyThreadState, frame)
#define TSTATE_CHUNK NONE
#define CFRAME_CURRENT NONE
#define FRAME_CODE AT(FRAME, f_code)
#define FRAME_LASTI AT(FRAME, f_lasti)
#endif

#if PY_VERSION_HEX >= 0x030b0000
#define FRAME_BACK AT(FRAME, previous)
#define FRAME_OWNER AT(FRAME, owner)
#define NATIVE_THREAD_ID AT(PyThreadState, native_thread_id)
#define CODE_QUALNAME AT(PyCodeObject, co_qualname)
#define CODE_ADAPTIVE AT(PyCodeObject, co_code_adaptive)
#define THREADS_HEAD AT(PyInterpreterState, threads.head)
#define LINE_KIND "Locations311"
#define LASTI_IS_POINTER "true"
#else
#define FRAME_BACK AT(FRAME, f_back)
#define FRAME_OWNER NONE
#define NATIVE_THREAD_ID NONE
#define CODE_QUALNAME NONE
#define CODE_ADAPTIVE NONE
#define THREADS_HEAD AT(PyInterpreterState, tstate_head)
#define LINE_KIND (PY_VERSION_HEX >= 0x030a0000 ? "Linetable310" : "Lnotab38")
#define LASTI_IS_POINTER "false"
#endif

#if PY_VERSION_HEX >= 0x030a0000
#define CODE_LINETABLE AT(PyCodeObject, co_linetable)
#else
#define CODE_LINETABLE AT(PyCodeObject, co_lnotab)
#endif

#if PY_VERSION_HEX >= 0x030c0000
#define TSTATE_CURRENT NONE
#define GIL_KIND "InterpPointer"
#define GIL AT(PyInterpreterState, ceval.gil)
#else
#define TSTATE_CURRENT AT(_PyRuntimeState, gilstate.tstate_current)
#define GIL_KIND "Runtime"
#define GIL AT(_PyRuntimeState, ceval.gil)
#endif

#if PY_VERSION_HEX >= 0x030e0000
#define SKIP_OWNER_FROM FRAME_OWNED_BY_INTERPRETER
#elif PY_VERSION_HEX >= 0x030c0000
#define SKIP_OWNER_FROM FRAME_OWNED_BY_CSTACK
#else
#define SKIP_OWNER_FROM UINT8_MAX
#endif

#ifdef Py_GIL_DISABLED
#define FREE_THREADED "true"
#else
#define FREE_THREADED "false"
#endif

// The number of the lowest bit of a field of the state of a string, seen as 32 bits.
#define STATE_BIT(bit, field)                                                                         \
    do {                                                                                              \
        PyASCIIObject string;                                                                         \
        uint32_t state;                                                                               \
        memset(&string, 0, sizeof string);                                                            \
        string.state.field = 1;                                                                       \
        memcpy(&state, &string.state, sizeof state);                                                  \
        bit = __builtin_ctz(state);                                                                   \
    } while (0)

// Where _Py_DebugOffsets, with which _PyRuntime begins, holds the numbers that src/layout.rs lists in
// PUBLISHED, in that order, counted in words of eight bytes.
#if PY_VERSION_HEX >= 0x030d0000
#define WORD(field) AT(_Py_DebugOffsets, field) / 8
#define OWN_GIL WORD(interpreter_state.gil_runtime_state)
static const int words[] = {
    WORD(runtime_state.interpreters_head),
    WORD(interpreter_state.id),
    WORD(interpreter_state.next),
    WORD(interpreter_state.threads_head),
    WORD(interpreter_state.ceval_gil),
    WORD(thread_state.next),
    WORD(thread_state.interp),
    WORD(thread_state.current_frame),
    WORD(thread_state.thread_id),
    WORD(thread_state.native_thread_id),
    WORD(interpreter_frame.previous),
    WORD(interpreter_frame.executable),
    WORD(interpreter_frame.instr_ptr),
    WORD(interpreter_frame.owner),
    WORD(code_object.filename),
    WORD(code_object.name),
    WORD(code_object.qualname),
    WORD(code_object.linetable),
    WORD(code_object.firstlineno),
    WORD(code_object.co_code_adaptive),
    WORD(pyobject.ob_type),
    WORD(bytes_object.ob_size),
    WORD(bytes_object.ob_sval),
    WORD(unicode_object.state),
    WORD(unicode_object.length),
    WORD(unicode_object.asciiobject_size),
    WORD(interpreter_state.gil_runtime_state_locked),
    WORD(interpreter_state.gil_runtime_state_holder),
};
#else
#define OWN_GIL NONE
static const int words[] = {NONE};
#endif

int main(void) {
    int kind, compact, ascii;
    STATE_BIT(kind, kind);
    STATE_BIT(compact, compact);
    STATE_BIT(ascii, ascii);
    if (compact != kind + 3 || ascii != kind + 4) return 1;

    printf("Layout { version: 0x%04x, free_threaded: %s, ", PY_VERSION_HEX >> 16, FREE_THREADED);
    printf("tstate: Tstate { next: %d, interp: %d, thread_id: %d, native_thread_id: %d, frame: %d, "
           "chunk: %d }, ",
           AT(PyThreadState, next), AT(PyThreadState, interp), AT(PyThreadState, thread_id),
           NATIVE_THREAD_ID, TSTATE_FRAME, TSTATE_CHUNK);
    printf("cframe_current: %d, ", CFRAME_CURRENT);
    printf("frame: Frame { code: %d, back: %d, lasti: %d, owner: %d }, ", FRAME_CODE, FRAME_BACK,
           FRAME_LASTI, FRAME_OWNER);
    printf("code: Code { filename: %d, name: %d, qualname: %d, firstlineno: %d, linetable: %d, "
           "code_adaptive: %d }, ",
           AT(PyCodeObject, co_filename), AT(PyCodeObject, co_name), CODE_QUALNAME,
           AT(PyCodeObject, co_firstlineno), CODE_LINETABLE, CODE_ADAPTIVE);
    printf("object: Object { ob_type: %d, str_len: %d, str_state: %d, str_kind_shift: %d, "
           "str_ascii_data: %d, str_compact_data: %d, bytes_size: %d, bytes_data: %d }, ",
           AT(PyObject, ob_type), AT(PyASCIIObject, length), AT(PyASCIIObject, state), kind,
           (int)sizeof(PyASCIIObject), (int)sizeof(PyCompactUnicodeObject), AT(PyVarObject, ob_size),
           AT(PyBytesObject, ob_sval));
    printf("runtime: Runtime { interpreters_head: %d, tstate_current: %d }, ",
           AT(_PyRuntimeState, interpreters.head), TSTATE_CURRENT);
    printf("interp: Interp { next: %d, threads_head: %d, id: %d }, ", AT(PyInterpreterState, next),
           THREADS_HEAD, AT(PyInterpreterState, id));
    printf("gil: %s(%d), gil_last_holder: %d, gil_locked: %d, gil_size: %d, ", GIL_KIND, GIL,
           AT(struct _gil_runtime_state, last_holder), AT(struct _gil_runtime_state, locked),
           (int)sizeof(struct _gil_runtime_state));
    printf("line_kind: %s, lasti_is_pointer: %s, stackref_tags: %s, skip_owner_from: %d, ", LINE_KIND,
           LASTI_IS_POINTER, PY_VERSION_HEX >= 0x030e0000 ? "true" : "false", SKIP_OWNER_FROM);
    printf("published: [");
    for (size_t i = 0; words[0] != NONE && i < sizeof words / sizeof *words; i++)
        printf(i ? ", %d" : "%d", words[i]);
    printf("], published_own_gil: %d }\n", OWN_GIL);
}
