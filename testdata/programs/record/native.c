/* What a program's own code in C may do to its process: fork without Python's knowledge, take over
 * SIGSEGV as some libraries do, handle SIGPROF, fault and recover.
 *
 *     cc -shared -fPIC -o libnative.so native.c
 */
#define _GNU_SOURCE
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static void say(const char *text) {
    ssize_t ignored = write(1, text, strlen(text));
    (void)ignored;
}

/* Forks by libc, runs `body` in the child, and returns the child's status. */
int fork_in_c(void (*body)(void)) {
    pid_t child = fork();
    int status = -1;
    if (child == 0) {
        body();
        _exit(0);
    }
    return child > 0 && waitpid(child, &status, 0) == child ? status : -1;
}

/* Forks by the kernel, so that nobody's handlers for a fork run. */
int fork_raw(void (*body)(void)) {
    pid_t child = (pid_t)syscall(SYS_fork);
    int status = -1;
    if (child == 0) {
        body();
        syscall(SYS_exit_group, 0);
    }
    return child > 0 && waitpid(child, &status, 0) == child ? status : -1;
}

/* Runs a command by vfork and exec, and returns its status. */
int run_by_vfork(char *const *command) {
    pid_t child = vfork();
    int status = -1;
    if (child == 0) {
        execv(command[0], command);
        _exit(127);
    }
    return child > 0 && waitpid(child, &status, 0) == child ? status : -1;
}

/* A handler for SIGSEGV that says so and passes the signal to whoever was there before. */
static struct sigaction before;

static void say_and_chain(int number, siginfo_t *info, void *context) {
    say("the program's handler ran\n");
    if (before.sa_flags & SA_SIGINFO)
        before.sa_sigaction(number, info, context);
    else if (before.sa_handler != SIG_DFL && before.sa_handler != SIG_IGN)
        before.sa_handler(number);
    else
        sigaction(number, &before, NULL);
}

void install_chaining(void) {
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_sigaction = say_and_chain;
    action.sa_flags = SA_SIGINFO | SA_ONSTACK;
    sigaction(SIGSEGV, &action, &before);
}

/* The same of one that was there all along: how many handlers for SIGSEGV a program sees that has
 * set none. */
int handlers_before(void) {
    struct sigaction action;
    sigaction(SIGSEGV, NULL, &action);
    return (action.sa_flags & SA_SIGINFO) != 0 || action.sa_handler != SIG_DFL;
}

/* Faults `count` times and jumps out of each; returns how often. */
static sigjmp_buf out;

static void jump_out(int number) {
    (void)number;
    siglongjmp(out, 1);
}

static volatile int *volatile nowhere = (int *)16;

int fault_and_recover(int count) {
    struct sigaction action, old;
    volatile int recovered = 0;
    memset(&action, 0, sizeof action);
    action.sa_handler = jump_out;
    action.sa_flags = SA_NODEFER;
    sigaction(SIGSEGV, &action, &old);
    for (volatile int n = 0; n < count; n++) {
        if (sigsetjmp(out, 1) == 0)
            *nowhere = n;
        else
            recovered++;
    }
    sigaction(SIGSEGV, &old, NULL);
    return recovered;
}

void fault(void) { *nowhere = 1; }

/* A handler for SIGPROF in C, which counts; what was there before is told as 0 (default), 1
 * (ignored) or 2. */
static volatile sig_atomic_t counted;

static void count(int number) {
    (void)number;
    counted++;
}

int install_counting(void) {
    struct sigaction action, old;
    memset(&action, 0, sizeof action);
    action.sa_handler = count;
    action.sa_flags = SA_RESTART;
    sigaction(SIGPROF, &action, &old);
    return old.sa_handler == SIG_DFL ? 0 : old.sa_handler == SIG_IGN ? 1 : 2;
}

int count_of_signals(void) { return counted; }

/* Blocks every signal, or none, by the kernel's call, as libc does within its own functions. */
int block_behind(int all) {
    unsigned long mask = all ? ~0UL : 0;
    return syscall(SYS_rt_sigprocmask, SIG_SETMASK, &mask, NULL, sizeof mask);
}
