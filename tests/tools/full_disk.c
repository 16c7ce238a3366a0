/* A small disk where none can be mounted: loaded before the C library (LD_PRELOAD). While there is
 * a file `ballast` in the folder FULL_DISK, files below that folder grow by as many bytes in each
 * process as that file says, and then no more: ENOSPC, as on a full disk. What has its place
 * already is written.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
/* When the ballast was written that the room was read from. */
static struct timespec known;
static long long room;

static void *next(const char *name)
{
    return dlsym(RTLD_NEXT, name);
}

static int is_below(int fd, const char *folder)
{
    char link[64], path[PATH_MAX];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, sizeof path);
    size_t wanted = strlen(folder);
    return length > (ssize_t)wanted && strncmp(path, folder, wanted) == 0 && path[wanted] == '/';
}

/* Takes the room for a file that is to reach to `end`; -1 where there is none. */
static int grow(int fd, long long end)
{
    const char *folder = getenv("FULL_DISK");
    char ballast[PATH_MAX];
    struct stat full, file;
    if (!folder)
        return 0;
    snprintf(ballast, sizeof ballast, "%s/ballast", folder);
    if (stat(ballast, &full) != 0 || !is_below(fd, folder))
        return 0;
    if (fstat(fd, &file) != 0 || !S_ISREG(file.st_mode) || end <= file.st_size)
        return 0;
    pthread_mutex_lock(&lock);
    if (known.tv_sec != full.st_mtim.tv_sec || known.tv_nsec != full.st_mtim.tv_nsec) {
        char text[32] = "";
        int from = open(ballast, O_RDONLY | O_CLOEXEC);
        if (from >= 0) {
            if (read(from, text, sizeof text - 1) < 0)
                text[0] = 0;
            close(from);
        }
        room = atoll(text);
        known = full.st_mtim;
    }
    int none = end - file.st_size > room;
    if (!none)
        room -= end - file.st_size;
    pthread_mutex_unlock(&lock);
    if (none)
        errno = ENOSPC;
    return none ? -1 : 0;
}

static long long bytes(const struct iovec *parts, int count)
{
    long long sum = 0;
    for (int part = 0; part < count; part++)
        sum += parts[part].iov_len;
    return sum;
}

/* Where what is written at the file's own place begins. */
static long long place(int fd)
{
    struct stat file;
    if (fcntl(fd, F_GETFL) & O_APPEND)
        return fstat(fd, &file) == 0 ? file.st_size : 0;
    return lseek(fd, 0, SEEK_CUR);
}

#define OVER(type, name, arguments, given, end) \
    type name arguments \
    { \
        static type (*real) arguments; \
        if (!real) \
            real = next(#name); \
        return grow(fd, end) == 0 ? real given : -1; \
    }

OVER(ssize_t, write, (int fd, const void *from, size_t size), (fd, from, size),
     place(fd) + (long long)size)
OVER(ssize_t, writev, (int fd, const struct iovec *parts, int count), (fd, parts, count),
     place(fd) + bytes(parts, count))
OVER(ssize_t, pwrite, (int fd, const void *from, size_t size, off_t at), (fd, from, size, at),
     at + (long long)size)
OVER(ssize_t, pwrite64, (int fd, const void *from, size_t size, off64_t at), (fd, from, size, at),
     at + (long long)size)
OVER(ssize_t, pwritev, (int fd, const struct iovec *parts, int count, off_t at),
     (fd, parts, count, at), at + bytes(parts, count))
OVER(ssize_t, pwritev64, (int fd, const struct iovec *parts, int count, off64_t at),
     (fd, parts, count, at), at + bytes(parts, count))
OVER(int, ftruncate, (int fd, off_t size), (fd, size), size)
OVER(int, ftruncate64, (int fd, off64_t size), (fd, size), size)

/* These tell their errors by what they return. */
#define RESERVE(name, offset) \
    int name(int fd, offset at, offset size) \
    { \
        static int (*real)(int, offset, offset); \
        if (!real) \
            real = next(#name); \
        return grow(fd, at + size) == 0 ? real(fd, at, size) : ENOSPC; \
    }

RESERVE(posix_fallocate, off_t)
RESERVE(posix_fallocate64, off64_t)
