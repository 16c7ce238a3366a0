/* Gives a program another wall clock: loaded before the C library (LD_PRELOAD), ahead by CLOCK_SKEW
 * seconds, which may be negative. Only the wall's: the steady clock stays. Waits until a moment of that
 * clock are waited by the machine's. (libfaketime does not know cnd_timedwait, by which librdkafka waits.)
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/time.h>
#include <threads.h>
#include <time.h>

static time_t skew(void)
{
    static _Thread_local int known;
    static _Thread_local time_t seconds;
    if (!known) {
        const char *text = getenv("CLOCK_SKEW");
        seconds = text ? atol(text) : 0;
        known = 1;
    }
    return seconds;
}

static void *next(const char *name)
{
    return dlsym(RTLD_NEXT, name);
}

int clock_gettime(clockid_t clock, struct timespec *at)
{
    static int (*real)(clockid_t, struct timespec *);
    if (!real)
        real = next("clock_gettime");
    int failed = real(clock, at);
    if (!failed && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE))
        at->tv_sec += skew();
    return failed;
}

int gettimeofday(struct timeval *restrict at, void *restrict zone)
{
    static int (*real)(struct timeval *, void *);
    if (!real)
        real = next("gettimeofday");
    int failed = real(at, zone);
    if (!failed)
        at->tv_sec += skew();
    return failed;
}

time_t time(time_t *at)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (at)
        *at = now.tv_sec;
    return now.tv_sec;
}

/* A moment of the steady clock, which begins with the machine, is far before this one. */
static struct timespec real_moment(const struct timespec *until)
{
    struct timespec at = *until;
    if (at.tv_sec > 1000000000)
        at.tv_sec -= skew();
    return at;
}

int cnd_timedwait(cnd_t *restrict wait, mtx_t *restrict lock, const struct timespec *restrict until)
{
    static int (*real)(cnd_t *, mtx_t *, const struct timespec *);
    if (!real)
        real = next("cnd_timedwait");
    struct timespec at = real_moment(until);
    return real(wait, lock, &at);
}

int pthread_cond_timedwait(pthread_cond_t *restrict wait, pthread_mutex_t *restrict lock,
                           const struct timespec *restrict until)
{
    static int (*real)(pthread_cond_t *, pthread_mutex_t *, const struct timespec *);
    if (!real)
        real = next("pthread_cond_timedwait");
    struct timespec at = real_moment(until);
    return real(wait, lock, &at);
}
