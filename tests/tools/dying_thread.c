/* Makes one thread of a program die: loaded before the C library (LD_PRELOAD). Once there is a file
 * named by DYING_THREAD, the first of tokio's threads that goes on waiting by cnd_timedwait, as
 * only librdkafka does for whoever polls, is told by the steady clock that it cannot be read; what
 * it shows is right all the same. Rust's standard library panics at that; librdkafka does not look.
 * From the panic on the clock can be read again.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <threads.h>
#include <time.h>
#include <unistd.h>
#include <unwind.h>

/* Polls since the file is there, by which a thread that polls is told from one that asked once. */
static const int POLLS = 10;

static atomic_int died;
static _Thread_local int polls;

static void *next(const char *name)
{
    return dlsym(RTLD_NEXT, name);
}

static int is_tokio(void)
{
    char name[16];
    return prctl(PR_GET_NAME, name) == 0 && strncmp(name, "tokio", 5) == 0;
}

int cnd_timedwait(cnd_t *restrict wait, mtx_t *restrict lock, const struct timespec *restrict until)
{
    static int (*real)(cnd_t *, mtx_t *, const struct timespec *);
    if (!real)
        real = next("cnd_timedwait");
    const char *file = getenv("DYING_THREAD");
    if (file && !died && access(file, F_OK) == 0 && is_tokio())
        polls++;
    return real(wait, lock, until);
}

int clock_gettime(clockid_t clock, struct timespec *at)
{
    static int (*real)(clockid_t, struct timespec *);
    if (!real)
        real = next("clock_gettime");
    int failed = real(clock, at);
    if (clock == CLOCK_MONOTONIC && polls >= POLLS && !died) {
        errno = EINVAL;
        return -1;
    }
    return failed;
}

_Unwind_Reason_Code _Unwind_RaiseException(struct _Unwind_Exception *what)
{
    static _Unwind_Reason_Code (*real)(struct _Unwind_Exception *);
    if (!real)
        real = next("_Unwind_RaiseException");
    if (polls >= POLLS)
        died = 1;
    return real(what);
}
