/*
 * The kernel's calls that the launcher makes, for x86-64, without a C library: numbers and shapes as in the kernel's
 * own headers (asm/unistd_64.h, linux/un.h, asm-generic/termbits.h).
 */
#define EINTR 4
#define AF_UNIX 1
#define SOCK_STREAM 1
#define SOCK_CLOEXEC 02000000
#define SOL_SOCKET 1
#define SO_RCVTIMEO 20
#define SO_SNDTIMEO 21
#define SHUT_WR 1
#define SEEK_SET 0
#define MFD_CLOEXEC 1
#define TCGETS 0x5401
#define SIGPIPE 13
#define SIG_IGN 1
#define SA_RESTORER 0x04000000

struct sockaddr_un {
  unsigned short sun_family;
  char sun_path[108];
};

struct timeval {
  long seconds, microseconds;
};

struct termios {
  unsigned flags[4];
  unsigned char rest[44];
};

struct sigaction {
  long handler;
  unsigned long flags;
  long restorer;
  unsigned long mask;
};

/* number, then up to six arguments: the C calling convention turned into the kernel's. */
long system_call(long number, long a, long b, long c, long d, long e, long f);
__asm__(".globl system_call\n"
        "system_call:\n"
        "  mov %rdi, %rax\n"
        "  mov %rsi, %rdi\n"
        "  mov %rdx, %rsi\n"
        "  mov %rcx, %rdx\n"
        "  mov %r8, %r10\n"
        "  mov %r9, %r8\n"
        "  mov 8(%rsp), %r9\n"
        "  syscall\n"
        "  ret\n"
        /* The kernel starts a program with its arguments on the stack and nobody to return to. */
        ".globl _start\n"
        "_start:\n"
        "  mov %rsp, %rdi\n"
        "  and $-16, %rsp\n"
        "  call launch\n"
        "  hlt\n");

/* Compilers call this for initialisers; `volatile` keeps them from making it call itself. */
void *memset(void *at, int octet, unsigned long n) {
  volatile char *to = at;
  while (n--) *to++ = (char)octet;
  return at;
}

#define CALL(number, a, b, c, d, e) system_call(number, (long)(a), (long)(b), (long)(c), (long)(d), (long)(e), 0)

#define sys_read(fd, into, n) CALL(0, fd, into, n, 0, 0)
#define sys_write(fd, from, n) CALL(1, fd, from, n, 0, 0)
#define sys_close(fd) CALL(3, fd, 0, 0, 0, 0)
#define sys_lseek(fd, offset, whence) CALL(8, fd, offset, whence, 0, 0)
#define sys_ioctl(fd, request, argument) CALL(16, fd, request, argument, 0, 0)
#define sys_dup2(from, to) CALL(33, from, to, 0, 0, 0)
#define sys_socket(family, type, protocol) CALL(41, family, type, protocol, 0, 0)
#define sys_connect(fd, address, n) CALL(42, fd, address, n, 0, 0)
#define sys_shutdown(fd, how) CALL(48, fd, how, 0, 0, 0)
#define sys_setsockopt(fd, level, option, value, n) CALL(54, fd, level, option, value, n)
#define sys_execve(path, argv, envp) CALL(59, path, argv, envp, 0, 0)
#define sys_exit(code) CALL(60, code, 0, 0, 0, 0)
#define sys_readlink(path, into, n) CALL(89, path, into, n, 0, 0)
#define sys_memfd_create(name, flags) CALL(319, name, flags, 0, 0, 0)

static void sys_ignore_signal(int signal) {
  struct sigaction ignore = {SIG_IGN, 0, 0, 0};
  CALL(13, signal, &ignore, 0, 8, 0);
}
