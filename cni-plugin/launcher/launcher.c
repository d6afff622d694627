/*
 * The CNI plugin as runtimes start it: hands one call to the node agent on its Unix socket and prints the answer.
 *
 * Starting Node takes longer than everything an ADD does in the kernel, so what a runtime starts is this: no C library,
 * no allocation, about a millisecond with the agent's answer. It understands nothing of CNI. Whatever is out of the
 * ordinary (no agent, a torn answer, a terminal for standard input, an escaped socket path) goes to the program that
 * does: `poplin-node` beside this file, which gets the same environment and the same standard input.
 *
 *   asks      "POPLIN-CNI 1\n"  CNI_A=..\0 CNI_B=..\0 \0  standard input, to the end of what is sent
 *   is told   "<exit code> <length>\n"  and that many octets for standard output
 *
 * The other side is node/cni/launcher.ts. bin/setup compiles this file; it needs nothing but a compiler.
 */
#include "system.h"

#define DEFAULT_SOCKET "/run/poplin/agent.sock"
#define SOCKET_NAME "cni.sock"
#define FALLBACK_SUFFIX "-node"
#define GREETING "POPLIN-CNI 1\n"

/* Above what the agent takes (addresses, wiring, waiting for policy), below a kubelet's four minutes. */
#define PATIENCE_SECONDS 100

/* A network configuration is a few KiB; GC lists 70 octets for each attachment of the node. */
#define INPUT_MAX (8 << 20)
#define ANSWER_MAX (1 << 20)
#define VARIABLES_MAX (64 << 10)
#define PATH_MAX_OCTETS 4096

static char input[INPUT_MAX + 1];
static char answer[ANSWER_MAX];
static char variables[VARIABLES_MAX];

static long length_of(const char *text) {
  long n = 0;
  while (text[n]) n++;
  return n;
}

static int begins_with(const char *text, const char *start) {
  while (*start)
    if (*text++ != *start++) return 0;
  return 1;
}

static char *append(char *to, const char *text) {
  while (*text) *to++ = *text++;
  *to = 0;
  return to;
}

static int write_all(int fd, const char *octets, long n) {
  while (n > 0) {
    long done = sys_write(fd, octets, n);
    if (done == -EINTR) continue;
    if (done <= 0) return 0;
    octets += done;
    n -= done;
  }
  return 1;
}

/* Reads to the end. Returns the number of octets, `max + 1` when there are more, a negative number on error. */
static long read_all(int fd, char *into, long max) {
  long n = 0;
  for (;;) {
    long got = sys_read(fd, into + n, max + 1 - n);
    if (got == -EINTR) continue;
    if (got < 0) return got;
    if (got == 0 || (n += got) > max) return n;
  }
}

/* ---- The one key of the configuration that matters here ------------------------------------------------------- */

/*
 * Finds the text of a string-valued key of the outermost object. Not a JSON parser: it only knows where strings begin
 * and end and how deep it is, which is enough on valid JSON, and on anything else the agent says what is wrong.
 * Returns its length, -1 when the key is absent, -2 when its value is for others to read (no string, or with escapes).
 */
static long value_of(const char *json, long n, const char *key, const char **value) {
  long depth = 0, key_length = length_of(key), i = 0;
  int expects_value = 0, matched = 0;
  while (i < n) {
    char c = json[i];
    if (c == '"') {
      long start = ++i;
      int escaped = 0;
      while (i < n && json[i] != '"') {
        if (json[i] == '\\') escaped = 1, i++;
        i++;
      }
      if (i >= n) return -1;
      if (depth == 1 && expects_value && matched) {
        *value = json + start;
        return escaped ? -2 : i - start;
      }
      if (depth == 1 && !expects_value) {
        long k = 0;
        if (i - start == key_length)
          while (k < key_length && json[start + k] == key[k]) k++;
        matched = key_length > 0 && k == key_length;
      }
    } else if (c == '{' || c == '[') {
      if (depth == 1 && matched && expects_value) return -2;
      depth++;
      if (depth == 1) expects_value = 0;
    } else if (c == '}' || c == ']') {
      depth--;
    } else if (depth == 1 && c == ':') {
      expects_value = 1;
    } else if (depth == 1 && c == ',') {
      if (matched && expects_value) return -2;
      expects_value = matched = 0;
    }
    i++;
  }
  return -1;
}

/* ---- The agent ------------------------------------------------------------------------------------------------ */

/* Beside the agent's own socket lies the one for launchers. Returns 0 when the path does not fit a socket address. */
static int socket_path(const char *agent, long n, char *path, long room) {
  while (n > 0 && agent[n - 1] != '/') n--;
  if (n == 0 || n + (long)sizeof SOCKET_NAME > room) return 0;
  for (long i = 0; i < n; i++) path[i] = agent[i];
  append(path + n, SOCKET_NAME);
  return 1;
}

/* Returns the length of the answer in `answer`, or a negative number when nobody answered. */
static long ask(const char *path, long variables_length, long input_length) {
  struct sockaddr_un address = {AF_UNIX, {0}};
  append(address.sun_path, path);
  int fd = sys_socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return -1;
  struct timeval patience = {PATIENCE_SECONDS, 0};
  sys_setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  sys_setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
  long got = -1;
  if (sys_connect(fd, &address, sizeof address) == 0 && write_all(fd, GREETING, sizeof GREETING - 1) &&
      write_all(fd, variables, variables_length) && write_all(fd, input, input_length) &&
      sys_shutdown(fd, SHUT_WR) == 0)
    got = read_all(fd, answer, ANSWER_MAX - 1);
  sys_close(fd);
  return got;
}

/* Prints an answer that is whole and ends the process; returns when it is not. */
static void print_answer(long n) {
  long i = 2, length = 0;
  if (n < 4 || (answer[0] != '0' && answer[0] != '1') || answer[1] != ' ') return;
  while (i < n && i < 12 && answer[i] >= '0' && answer[i] <= '9') length = length * 10 + (answer[i++] - '0');
  if (i >= n || answer[i] != '\n' || n - i - 1 != length) return;
  if (!write_all(1, answer + i + 1, length)) sys_exit(1);
  sys_exit(answer[0] - '0');
}

/* ---- The program that knows what to do without an agent ------------------------------------------------------- */

/* Only ever printed when the installation is broken. */
static void refuse(const char *what) {
  static const char *const before = "{\"cniVersion\":\"1.1.0\",\"code\":5,\"msg\":\"", *const after = "\"}\n";
  write_all(1, before, length_of(before));
  write_all(1, what, length_of(what));
  write_all(1, after, length_of(after));
  sys_exit(1);
}

static void fall_back(char **argv, char **envp, long input_length) {
  char path[PATH_MAX_OCTETS];
  if (input_length >= 0) {
    /* Standard input has been read: it is given once more. */
    int again = sys_memfd_create("stdin", MFD_CLOEXEC);
    if (again < 0 || !write_all(again, input, input_length) || sys_lseek(again, 0, SEEK_SET) != 0 ||
        sys_dup2(again, 0) != 0)
      refuse("the plugin could not keep its standard input for the program that answers without an agent");
  }
  long n = sys_readlink("/proc/self/exe", path, sizeof path - sizeof FALLBACK_SUFFIX);
  if (n > 0) {
    append(path + n, FALLBACK_SUFFIX);
    argv[0] = path;
    sys_execve(path, argv, envp);
  }
  refuse("no Poplin node agent answers, and poplin-node, which would say more, cannot be started from the "
         "plugin's own folder; start the agent, or install the plugin again");
}

/* `stack` is what the kernel leaves for a new process: argc, argv, 0, envp, 0. */
void launch(long *stack) {
  char **argv = (char **)(stack + 1), **envp = argv + stack[0] + 1;
  char *end = variables;
  struct termios terminal;

  /* An agent that dies while we send must not end us with a signal. */
  sys_ignore_signal(SIGPIPE);
  /* A person who calls the plugin by hand has a terminal there, which never ends. */
  if (sys_ioctl(0, TCGETS, &terminal) == 0) fall_back(argv, envp, -1);

  long n = read_all(0, input, INPUT_MAX);
  if (n > INPUT_MAX) refuse("standard input is longer than 8 MiB; a network configuration is one JSON object");
  if (n < 0) n = 0;

  for (char **entry = envp; *entry; entry++) {
    if (!begins_with(*entry, "CNI_")) continue;
    if (end - variables + length_of(*entry) + 2 > VARIABLES_MAX) fall_back(argv, envp, n);
    end = append(end, *entry) + 1;
  }
  *end++ = 0;

  const char *agent = DEFAULT_SOCKET;
  long agent_length = value_of(input, n, "agent_socket", &agent);
  if (agent_length == -1) agent_length = sizeof DEFAULT_SOCKET - 1;
  char path[sizeof((struct sockaddr_un *)0)->sun_path];
  if (agent_length > 0 && socket_path(agent, agent_length, path, sizeof path)) {
    long length = ask(path, end - variables, n);
    if (length > 0) print_answer(length);
  }
  fall_back(argv, envp, n);
}
