/* Fault injection at the k-th mutating file call of a process tree (LD_PRELOAD).
 *
 * A shared map (file CRASH_MAP) holds the counter, the fault and every process of the tree. Only paths and descriptors below
 * CRASH_ROOT count. "Kill" ends the whole tree: a flag first, at which every process of the tree ends itself before its next
 * mutating call, then SIGKILL to each recorded process whose start time still fits. CRASH_LOG, if set, gets a line a call.
 * A process without CRASH_MAP is untouched; crash_arm() arms it later (after a fork).
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdio_ext.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <unistd.h>
#include <utime.h>

enum { COUNT, KILL_BEFORE, KILL_AFTER, HALF_KILL, FULL_ONCE, FULL_STICKY, EIO_ONCE, SHORT };
enum kind { WRITES, GROWS, RENAMES, SYNCS, SHRINKS };  /* what a full disk refuses: all but SHRINKS (sticky: not RENAMES) */
#define SLOTS 16384

struct shared {
    uint64_t count, k;
    uint32_t mode, killing, fired, reserved, processes, pad;
    struct { uint64_t pid, start; } process[SLOTS];
};
struct verdict { int fail, half, die; };

static struct shared *shared;
static char root[PATH_MAX];
static size_t root_length;
static int log_fd = -1;

static long raw(long number, long a, long b, long c, long d) { return syscall(number, a, b, c, d); }

static uint64_t start_of(uint64_t pid) {
    char name[64], text[1024];
    snprintf(name, sizeof name, "/proc/%llu/stat", (unsigned long long)pid);
    int fd = (int)raw(SYS_openat, AT_FDCWD, (long)name, O_RDONLY | O_CLOEXEC, 0);
    if (fd < 0) return 0;
    long size = raw(SYS_read, fd, (long)text, sizeof text - 1, 0);
    raw(SYS_close, fd, 0, 0, 0);
    if (size <= 0) return 0;
    text[size] = 0;
    char *at = strrchr(text, ')');
    for (int field = 2; at && field < 22; field++) at = strchr(at + 1, ' ');
    return at ? strtoull(at + 1, NULL, 10) : 0;
}

static void end_self(void) {
    for (;;) raw(SYS_kill, raw(SYS_getpid, 0, 0, 0, 0), SIGKILL, 0, 0);
}

static void kill_tree(void) {
    __atomic_store_n(&shared->killing, 1, __ATOMIC_SEQ_CST);
    uint64_t self = (uint64_t)raw(SYS_getpid, 0, 0, 0, 0);
    uint32_t known = __atomic_load_n(&shared->processes, __ATOMIC_SEQ_CST);
    for (uint32_t i = 0; i < (known < SLOTS ? known : SLOTS); i++) {
        uint64_t pid = shared->process[i].pid, start = shared->process[i].start;
        if (pid && pid != self && start && start_of(pid) == start) raw(SYS_kill, (long)pid, SIGKILL, 0, 0);
    }
    end_self();
}

static void enter(void) {  /* a process joins the tree: at its start, after fork, after exec */
    if (!shared) return;
    uint32_t slot = __atomic_fetch_add(&shared->processes, 1, __ATOMIC_SEQ_CST) % SLOTS;
    uint64_t self = (uint64_t)raw(SYS_getpid, 0, 0, 0, 0);
    shared->process[slot].start = start_of(self);
    __atomic_store_n(&shared->process[slot].pid, self, __ATOMIC_SEQ_CST);
    if (__atomic_load_n(&shared->killing, __ATOMIC_SEQ_CST)) end_self();
}

int crash_arm(const char *map, const char *below, const char *log) {
    int fd = (int)raw(SYS_openat, AT_FDCWD, (long)map, O_RDWR | O_CLOEXEC, 0);
    if (fd < 0) return -1;
    void *found = mmap(NULL, sizeof(struct shared), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    raw(SYS_close, fd, 0, 0, 0);
    if (found == MAP_FAILED) return -1;
    root_length = strlen(below);
    if (root_length >= sizeof root) return -1;
    memcpy(root, below, root_length + 1);
    if (log && *log) log_fd = (int)raw(SYS_openat, AT_FDCWD, (long)log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    shared = found;
    enter();
    return 0;
}

__attribute__((constructor)) static void start(void) {
    const char *map = getenv("CRASH_MAP"), *below = getenv("CRASH_ROOT");
    pthread_atfork(NULL, NULL, enter);
    if (map && below) crash_arm(map, below, getenv("CRASH_LOG"));
}

/* ---- which calls count ---- */

static int normal(const char *path, char *out) {  /* lexical: no "//", "." or ".." */
    size_t size = 0;
    while (*path) {
        while (*path == '/') path++;
        size_t length = strcspn(path, "/");
        if (!length) break;
        if (length == 2 && path[0] == '.' && path[1] == '.') {
            while (size && out[--size] != '/') {}
        } else if (!(length == 1 && path[0] == '.')) {
            if (size + length + 2 > PATH_MAX) return 0;
            out[size++] = '/';
            memcpy(out + size, path, length);
            size += length;
        }
        path += length;
    }
    out[size] = 0;
    return 1;
}

static int below_root(const char *path) {
    return !strncmp(path, root, root_length) && (path[root_length] == '/' || !path[root_length]);
}

static int path_of_fd(int fd, char *out) {
    char name[64];
    snprintf(name, sizeof name, "/proc/self/fd/%d", fd);
    long size = raw(SYS_readlinkat, AT_FDCWD, (long)name, (long)out, PATH_MAX - 1);
    if (size <= 0) return 0;
    out[size] = 0;
    return 1;
}

static int counted_path(int folder, const char *path, char *out) {
    char joined[2 * PATH_MAX];
    if (!shared || !path) return 0;
    size_t length = strlen(path);
    if (length >= PATH_MAX) return 0;
    if (path[0] == '/') {
        memcpy(joined, path, length + 1);
    } else {
        char base[PATH_MAX];
        if (folder == AT_FDCWD) {
            if (raw(SYS_getcwd, (long)base, sizeof base, 0, 0) <= 0) return 0;
        } else if (!path_of_fd(folder, base)) return 0;
        snprintf(joined, sizeof joined, "%s/%s", base, path);
    }
    return normal(joined, out) && below_root(out);
}

static int counted_fd(int fd, char *out) { return shared && path_of_fd(fd, out) && below_root(out); }

static void note(uint64_t number, const char *op, const char *path) {
    char line[PATH_MAX + 96];
    int size = snprintf(line, sizeof line, "%llu %ld %s %s\n", (unsigned long long)number, raw(SYS_getpid, 0, 0, 0, 0), op, path);
    raw(SYS_write, log_fd, (long)line, size < (int)sizeof line ? size : (int)sizeof line - 1, 0);
}

static struct verdict refuse(int error) {
    errno = error;
    __atomic_store_n(&shared->fired, 1, __ATOMIC_SEQ_CST);
    return (struct verdict){1, 0, 0};
}

/* What happens to this call. `size` is the length of a write, 0 for other calls. */
static struct verdict meet(enum kind kind, const char *op, const char *path, size_t size) {
    struct verdict go = {0, 0, 0};
    if (__atomic_load_n(&shared->killing, __ATOMIC_SEQ_CST)) end_self();
    uint64_t number = __atomic_add_fetch(&shared->count, 1, __ATOMIC_SEQ_CST);
    uint32_t mode = shared->mode;
    if (log_fd >= 0) note(number, op, path);
    if (mode == COUNT || number < shared->k) return go;
    if (number > shared->k)
        return mode == FULL_STICKY && kind != SHRINKS && kind != RENAMES ? refuse(ENOSPC) : go;
    switch (mode) {
    case FULL_ONCE: case FULL_STICKY: return kind == SHRINKS ? go : refuse(ENOSPC);
    case EIO_ONCE: return refuse(EIO);
    case SHORT: if (kind != WRITES || size < 2) return go; go.half = 1; break;
    case HALF_KILL: if (kind != WRITES || size < 2) return go; go.half = go.die = 1; break;
    case KILL_AFTER: go.die = 1; break;
    default: break;
    }
    __atomic_store_n(&shared->fired, 1, __ATOMIC_SEQ_CST);
    if (mode == KILL_BEFORE) kill_tree();
    return go;
}

#define REAL(result, name, ...) \
    static result (*real)(__VA_ARGS__); \
    if (!real) real = (result (*)(__VA_ARGS__))dlsym(RTLD_NEXT, name)
#define ASK(counted, kind, op, size) \
    char where[PATH_MAX]; \
    struct verdict verdict = {0, 0, 0}; \
    do { int saved = errno; \
        if (counted) { errno = saved; verdict = meet(kind, op, where, size); } else errno = saved; } while (0)
#define AFTER do { if (verdict.die) kill_tree(); } while (0)
#define CHANGING (O_CREAT | O_TRUNC | O_WRONLY | O_RDWR | O_APPEND)
#define NEEDS_MODE(flags) ((flags) & O_CREAT || ((flags) & O_TMPFILE) == O_TMPFILE)

/* ---- open ---- */

#define OPEN(name) \
    int name(const char *path, int flags, ...) { \
        REAL(int, #name, const char *, int, ...); \
        mode_t mode = 0; \
        if (NEEDS_MODE(flags)) { va_list rest; va_start(rest, flags); mode = va_arg(rest, mode_t); va_end(rest); } \
        if (!(flags & CHANGING)) return real(path, flags, mode); \
        ASK(counted_path(AT_FDCWD, path, where), flags & (O_CREAT | O_TRUNC) ? GROWS : SHRINKS, "open", 0); \
        if (verdict.fail) return -1; \
        int result = real(path, flags, mode); AFTER; return result; }
OPEN(open)
OPEN(open64)

#define OPENAT(name) \
    int name(int folder, const char *path, int flags, ...) { \
        REAL(int, #name, int, const char *, int, ...); \
        mode_t mode = 0; \
        if (NEEDS_MODE(flags)) { va_list rest; va_start(rest, flags); mode = va_arg(rest, mode_t); va_end(rest); } \
        if (!(flags & CHANGING)) return real(folder, path, flags, mode); \
        ASK(counted_path(folder, path, where), flags & (O_CREAT | O_TRUNC) ? GROWS : SHRINKS, "openat", 0); \
        if (verdict.fail) return -1; \
        int result = real(folder, path, flags, mode); AFTER; return result; }
OPENAT(openat)
OPENAT(openat64)

int __open_2(const char *path, int flags) { return open(path, flags); }
int __open64_2(const char *path, int flags) { return open64(path, flags); }
int __openat_2(int folder, const char *path, int flags) { return openat(folder, path, flags); }
int __openat64_2(int folder, const char *path, int flags) { return openat64(folder, path, flags); }
int creat(const char *path, mode_t mode) { return open(path, O_CREAT | O_WRONLY | O_TRUNC, mode); }
int creat64(const char *path, mode_t mode) { return open64(path, O_CREAT | O_WRONLY | O_TRUNC, mode); }

#define FOPEN(name) \
    FILE *name(const char *path, const char *how) { \
        REAL(FILE *, #name, const char *, const char *); \
        if (how[0] == 'r' && !strchr(how, '+')) return real(path, how); \
        ASK(counted_path(AT_FDCWD, path, where), how[0] == 'r' ? SHRINKS : GROWS, "fopen", 0); \
        if (verdict.fail) return NULL; \
        FILE *result = real(path, how); AFTER; return result; }
FOPEN(fopen)
FOPEN(fopen64)

/* A stream's bytes leave inside libc, out of our sight: its flush and close stand for the write. */
#define STREAM(name) \
    int name(FILE *stream) { \
        REAL(int, #name, FILE *); \
        if (!stream || !shared || !__fwritable(stream) || !__fpending(stream)) return real(stream); \
        ASK(counted_fd(fileno(stream), where), GROWS, #name, 0); \
        if (verdict.fail) { int why = errno; __fpurge(stream); if (!strcmp(#name, "fclose")) real(stream); errno = why; return EOF; } \
        int result = real(stream); AFTER; return result; }
STREAM(fflush)
STREAM(fclose)

#define TEMPORARY(name, kind_of) \
    int name(char *pattern) { \
        REAL(int, #name, char *); \
        ASK(counted_path(AT_FDCWD, pattern, where), GROWS, #name, 0); \
        if (verdict.fail) return -1; \
        int result = real(pattern); AFTER; return result; }
TEMPORARY(mkstemp, 0)
TEMPORARY(mkstemp64, 0)

char *mkdtemp(char *pattern) {
    REAL(char *, "mkdtemp", char *);
    ASK(counted_path(AT_FDCWD, pattern, where), GROWS, "mkdir", 0);
    if (verdict.fail) return NULL;
    char *result = real(pattern); AFTER; return result;
}

/* ---- writes ---- */

ssize_t write(int fd, const void *data, size_t size) {
    REAL(ssize_t, "write", int, const void *, size_t);
    ASK(counted_fd(fd, where), WRITES, "write", size);
    if (verdict.fail) return -1;
    ssize_t result = real(fd, data, verdict.half ? size / 2 : size); AFTER; return result;
}

#define PWRITE(name) \
    ssize_t name(int fd, const void *data, size_t size, off_t at) { \
        REAL(ssize_t, #name, int, const void *, size_t, off_t); \
        ASK(counted_fd(fd, where), WRITES, "pwrite64", size); \
        if (verdict.fail) return -1; \
        ssize_t result = real(fd, data, verdict.half ? size / 2 : size, at); AFTER; return result; }
PWRITE(pwrite)
PWRITE(pwrite64)

static size_t total(const struct iovec *parts, int count) {
    size_t size = 0;
    for (int i = 0; i < count; i++) size += parts[i].iov_len;
    return size;
}

ssize_t writev(int fd, const struct iovec *parts, int count) {
    REAL(ssize_t, "writev", int, const struct iovec *, int);
    ASK(counted_fd(fd, where), WRITES, "writev", total(parts, count));
    if (verdict.fail) return -1;
    struct iovec first;
    if (verdict.half && count) {
        first = parts[0];
        if (count == 1) first.iov_len /= 2;
        parts = &first;
        count = 1;
    }
    ssize_t result = real(fd, parts, count); AFTER; return result;
}

#define SENDFILE(name) \
    ssize_t name(int out, int in, off_t *at, size_t size) { \
        REAL(ssize_t, #name, int, int, off_t *, size_t); \
        ASK(counted_fd(out, where), WRITES, "sendfile", size); \
        if (verdict.fail) return -1; \
        ssize_t result = real(out, in, at, verdict.half ? size / 2 : size); AFTER; return result; }
SENDFILE(sendfile)
SENDFILE(sendfile64)

ssize_t copy_file_range(int in, off64_t *from, int out, off64_t *to, size_t size, unsigned flags) {
    REAL(ssize_t, "copy_file_range", int, off64_t *, int, off64_t *, size_t, unsigned);
    ASK(counted_fd(out, where), WRITES, "copy_file_range", size);
    if (verdict.fail) return -1;
    ssize_t result = real(in, from, out, to, verdict.half ? size / 2 : size, flags); AFTER; return result;
}

/* ---- one descriptor ---- */

#define ON_FD(name, kind, op, declared, passed, ...) \
    int name declared { \
        REAL(int, #name, __VA_ARGS__); \
        ASK(counted_fd(fd, where), kind, op, 0); \
        if (verdict.fail) return -1; \
        int result = real passed; AFTER; return result; }
ON_FD(fsync, SYNCS, "fsync", (int fd), (fd), int)
ON_FD(fdatasync, SYNCS, "fdatasync", (int fd), (fd), int)
ON_FD(ftruncate, SHRINKS, "ftruncate", (int fd, off_t size), (fd, size), int, off_t)
ON_FD(ftruncate64, SHRINKS, "ftruncate", (int fd, off64_t size), (fd, size), int, off64_t)
ON_FD(fchmod, SHRINKS, "fchmod", (int fd, mode_t mode), (fd, mode), int, mode_t)
ON_FD(futimens, SHRINKS, "utimensat", (int fd, const struct timespec t[2]), (fd, t), int, const struct timespec *)
ON_FD(futimes, SHRINKS, "utimensat", (int fd, const struct timeval t[2]), (fd, t), int, const struct timeval *)
ON_FD(fallocate, GROWS, "fallocate", (int fd, int how, off_t at, off_t size), (fd, how, at, size), int, int, off_t, off_t)
ON_FD(posix_fallocate, GROWS, "fallocate", (int fd, off_t at, off_t size), (fd, at, size), int, off_t, off_t)

/* ---- one path (of two, the one that appears) ---- */

#define ON_PATH(name, kind, op, folder, path, declared, passed, ...) \
    int name declared { \
        REAL(int, #name, __VA_ARGS__); \
        ASK(counted_path(folder, path, where), kind, op, 0); \
        if (verdict.fail) return -1; \
        int result = real passed; AFTER; return result; }
ON_PATH(unlink, SHRINKS, "unlink", AT_FDCWD, p, (const char *p), (p), const char *)
ON_PATH(unlinkat, SHRINKS, "unlinkat", d, p, (int d, const char *p, int f), (d, p, f), int, const char *, int)
ON_PATH(remove, SHRINKS, "unlink", AT_FDCWD, p, (const char *p), (p), const char *)
ON_PATH(rmdir, SHRINKS, "rmdir", AT_FDCWD, p, (const char *p), (p), const char *)
ON_PATH(mkdir, GROWS, "mkdir", AT_FDCWD, p, (const char *p, mode_t m), (p, m), const char *, mode_t)
ON_PATH(mkdirat, GROWS, "mkdirat", d, p, (int d, const char *p, mode_t m), (d, p, m), int, const char *, mode_t)
ON_PATH(truncate, SHRINKS, "truncate", AT_FDCWD, p, (const char *p, off_t s), (p, s), const char *, off_t)
ON_PATH(truncate64, SHRINKS, "truncate", AT_FDCWD, p, (const char *p, off64_t s), (p, s), const char *, off64_t)
ON_PATH(chmod, SHRINKS, "chmod", AT_FDCWD, p, (const char *p, mode_t m), (p, m), const char *, mode_t)
ON_PATH(fchmodat, SHRINKS, "fchmodat", d, p, (int d, const char *p, mode_t m, int f), (d, p, m, f), int, const char *, mode_t, int)
ON_PATH(utimensat, SHRINKS, "utimensat", d, p, (int d, const char *p, const struct timespec t[2], int f), (d, p, t, f),
        int, const char *, const struct timespec *, int)
ON_PATH(utimes, SHRINKS, "utimes", AT_FDCWD, p, (const char *p, const struct timeval t[2]), (p, t), const char *, const struct timeval *)
ON_PATH(utime, SHRINKS, "utime", AT_FDCWD, p, (const char *p, const struct utimbuf *t), (p, t), const char *, const struct utimbuf *)
ON_PATH(rename, RENAMES, "rename", AT_FDCWD, b, (const char *a, const char *b), (a, b), const char *, const char *)
ON_PATH(renameat, RENAMES, "renameat", e, b, (int d, const char *a, int e, const char *b), (d, a, e, b),
        int, const char *, int, const char *)
ON_PATH(renameat2, RENAMES, "renameat2", e, b, (int d, const char *a, int e, const char *b, unsigned f), (d, a, e, b, f),
        int, const char *, int, const char *, unsigned)
ON_PATH(link, GROWS, "link", AT_FDCWD, b, (const char *a, const char *b), (a, b), const char *, const char *)
ON_PATH(linkat, GROWS, "linkat", e, b, (int d, const char *a, int e, const char *b, int f), (d, a, e, b, f),
        int, const char *, int, const char *, int)
ON_PATH(symlink, GROWS, "symlink", AT_FDCWD, b, (const char *a, const char *b), (a, b), const char *, const char *)
ON_PATH(symlinkat, GROWS, "symlinkat", d, b, (const char *a, int d, const char *b), (a, d, b), const char *, int, const char *)
