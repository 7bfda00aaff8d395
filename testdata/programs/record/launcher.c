/* Starts a program with less than it usually has.
 *
 *     launcher [WORD…] -- PROGRAM [ARGUMENT…]
 *
 * as=BYTES, sigpending=N, nproc=N, nofile=N, fsize=BYTES set both limits of a resource; uid=N becomes
 * that user; refuse=CALL:ERRNO has a system call fail, and kill=CALL or trap=CALL has it end the
 * process, in everything that follows. nothing=1 only starts the program.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

static const struct {
    const char *name;
    long number;
} CALLS[] = {
    {"timer_create", SYS_timer_create},
    {"perf_event_open", SYS_perf_event_open},
    {"setitimer", SYS_setitimer},
    {"sched_setattr", SYS_sched_setattr},
    {"memfd_create", SYS_memfd_create},
    {"process_vm_readv", SYS_process_vm_readv},
    {"madvise", SYS_madvise},
};

static const struct {
    const char *name;
    int resource;
} LIMITS[] = {
    {"as", RLIMIT_AS},         {"sigpending", RLIMIT_SIGPENDING}, {"nproc", RLIMIT_NPROC},
    {"nofile", RLIMIT_NOFILE}, {"fsize", RLIMIT_FSIZE},
};

static void stop(const char *what) {
    fprintf(stderr, "launcher: %s: %s\n", what, strerror(errno));
    exit(99);
}

static long call_number(const char *name, size_t length) {
    for (size_t n = 0; n < sizeof CALLS / sizeof *CALLS; n++)
        if (strlen(CALLS[n].name) == length && strncmp(CALLS[n].name, name, length) == 0)
            return CALLS[n].number;
    errno = EINVAL;
    stop(name);
    return -1;
}

static int error_number(const char *name) {
    return strcmp(name, "EPERM") == 0 ? EPERM : strcmp(name, "EACCES") == 0 ? EACCES : ENOSYS;
}

static void filter(long call, unsigned action) {
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned)call, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, action),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {.len = sizeof code / sizeof *code, .filter = code};
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program))
        stop("seccomp");
}

static void apply(const char *word) {
    const char *value = strchr(word, '=');
    if (!value)
        errno = EINVAL, stop(word);
    size_t key = (size_t)(value++ - word);
    for (size_t n = 0; n < sizeof LIMITS / sizeof *LIMITS; n++)
        if (strlen(LIMITS[n].name) == key && strncmp(LIMITS[n].name, word, key) == 0) {
            struct rlimit limit = {strtoul(value, NULL, 10), strtoul(value, NULL, 10)};
            if (setrlimit(LIMITS[n].resource, &limit))
                stop(word);
            return;
        }
    if (strncmp(word, "uid=", 4) == 0) {
        if (setgid((gid_t)atoi(value)) || setuid((uid_t)atoi(value)))
            stop(word);
    } else if (strncmp(word, "refuse=", 7) == 0) {
        const char *colon = strchr(value, ':');
        size_t length = colon ? (size_t)(colon - value) : strlen(value);
        filter(call_number(value, length), SECCOMP_RET_ERRNO | error_number(colon ? colon + 1 : ""));
    } else if (strncmp(word, "kill=", 5) == 0) {
        filter(call_number(value, strlen(value)), SECCOMP_RET_KILL_PROCESS);
    } else if (strncmp(word, "trap=", 5) == 0) {
        filter(call_number(value, strlen(value)), SECCOMP_RET_TRAP);
    } else if (strncmp(word, "nothing=", 8) != 0) {
        errno = EINVAL, stop(word);
    }
}

int main(int count, char **words) {
    int n = 1;
    while (n < count && strcmp(words[n], "--") != 0)
        apply(words[n++]);
    if (n + 1 >= count) {
        fprintf(stderr, "usage: launcher [WORD...] -- PROGRAM [ARGUMENT...]\n");
        return 99;
    }
    execvp(words[n + 1], words + n + 1);
    stop(words[n + 1]);
}
