/* streamgated - the node's process: opens it, then its first thread waits for signals, and for
 * sgctl. */
#include "base/clock.h"
#include "base/log.h"
#include "base/secret.h"
#include "base/sys/pkey.h"
#include "controlplane/admin/admin.h"
#include "controlplane/chain/onchain.h"
#include "controlplane/node/reload.h"
#include "dataplane/node/node.h"
#include "tools/streamgated/options.h"

#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#define REPORT_BYTES 65536
#define TICK_MS      1000
#define DRAIN_MS     20                   /* how often a drain is looked after */
#define FOLLOWS      "STREAMGATE_FOLLOWS" /* the process whose listeners this one takes over */

struct process {
    struct sgd_node *node;
    struct sgc_control *control; /* NULL: a successor has it */
    struct sgc_onchain *onchain; /* asks chains about signatures, or others who can */
    struct sgc_admin *admin;
    int signal_fd;
    char program[PATH_MAX];
    char **argv;
    pid_t successor; /* 0: none was started */
    bool stop;       /* now, whatever is under way */
    uint32_t reloads_told;
};

static char report_memory[REPORT_BYTES];

static struct sg_out report_begin(void)
{
    return sg_out_init(report_memory, sizeof(report_memory));
}

static void report_print(const struct sg_out *report)
{
    fwrite(report->ptr, 1, report->len, stderr);
    if (report->full)
        fputs("... and more\n", stderr);
}

/* What the role asks of a configuration that is right by itself. */
static enum sg_err role_check(const struct sgt_options *options, struct sg_out *report)
{
    struct sg_config *config = NULL;
    enum sg_err err = sg_config_load(options->config, report, &config);
    if (err == SG_OK)
        err = sgc_control_check(config, options->role, report);
    sg_config_free(config);
    return err;
}

static int run_check(const struct sgt_options *options)
{
    struct sg_out report = report_begin();
    enum sg_err err = sgd_node_check(options->config, options->trust, &report);
    if (err == SG_OK)
        err = role_check(options, &report);
    report_print(&report);
    if (err == SG_OK)
        printf("%s: right\n", options->config);
    else if (report.len == 0)
        fprintf(stderr, "%s: %s\n", options->config, sg_err_text(err));
    return err == SG_OK ? EXIT_SUCCESS : EXIT_FAILURE;
}

static enum sg_err control_open(struct process *process, enum sgc_role role, struct sg_out *report)
{
    struct sgd_node_view view;
    sgd_node_view(process->node, &view);
    return sgc_control_open(view.snapshot->config, role, view.state, report, &process->control);
}

static enum sg_err onchain_open(struct process *process, struct sg_out *report)
{
    struct sgd_node_view view;
    sgd_node_view(process->node, &view);
    enum sg_err err = sgc_onchain_open(&process->onchain);
    if (err == SG_OK)
        err = sgc_onchain_configure(process->onchain, view.snapshot->config, report);
    if (err == SG_OK)
        err = sgc_control_set_onchain(process->control, process->onchain);
    if (err == SG_OK)
        sgd_node_set_onchain(process->node, sgc_onchain_seam(process->onchain));
    return err;
}

static void control_close(struct process *process)
{
    if (process->admin != NULL)
        sgc_admin_leave(process->admin);
    sgc_control_close(SG_TAKE(process->control));
}

/* ---- signals ---- */

/* To systemd: what became of the last reload, also of one that sgctl asked for. */
static void tell_reload(struct process *process)
{
    static const char *const status[] = {
        [SGC_RELOAD_REFUSED] = "READY=1\nSTATUS=serving; the last reload was refused",
        [SGC_RELOAD_PART] =
            "READY=1\nSTATUS=serving; the last reload left chains and bus as they were",
        [SGC_RELOAD_DONE] = "READY=1\nSTATUS=serving",
    };
    enum sgc_reload last;
    if (process->control == NULL) /* a successor's are told by him */
        return;
    uint32_t reloads = sgc_reloads(process->control, &last);
    if (reloads != process->reloads_told)
        sd_notify(0, status[last]);
    process->reloads_told = reloads;
}

static void on_reload(struct process *process)
{
    struct sg_out report = report_begin();
    if (process->control != NULL)
        sd_notifyf(0, "RELOADING=1\nMONOTONIC_USEC=%llu",
                   (unsigned long long)(sg_clock_mono_ns() / SG_NS_PER_US));
    struct sgc_reloaded done = sgc_reload(process->node, process->control, &report);
    (void)done; /* logged, and told by tell_reload() */
    report_print(&report);
}

static void on_terminate(struct process *process)
{
    if (sgd_node_draining(process->node)) {
        sg_warn("told twice: what is under way is cut");
        process->stop = true;
        return;
    }
    sg_info("draining");
    if (process->successor != 0) {
        sgc_admin_yield(process->admin);
        control_close(process); /* the state has its own from here on */
    } else {
        sd_notify(0, "STOPPING=1\nSTATUS=draining");
    }
    sgd_node_drain(process->node);
}

/* In the child: from here to exec, nothing that another thread might have held is needed. */
static _Noreturn void become_next(const struct process *process, const char *follows)
{
    struct sgd_node_view view;
    sgd_node_view(process->node, &view);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    if (setenv(FOLLOWS, follows, 1) == 0 && sgd_listen_pass(view.listen) == SG_OK) {
        const char *passed = getenv("LISTEN_FDS");
        /* the bus's library opens sockets that would outlive us */
        close_range(3 + (passed != NULL ? (unsigned)atoi(passed) : 0), ~0u, 0);
        execv(process->program, process->argv);
    }
    _exit(127);
}

static void on_upgrade(struct process *process)
{
    char follows[16];
    if (process->successor != 0 || sgd_node_draining(process->node)) {
        sg_warn("upgrade: process %d is on its way already", (int)process->successor);
        return;
    }
    snprintf(follows, sizeof(follows), "%d", (int)getpid());
    sgd_node_give_up_disk(process->node); /* even if nobody follows: then we go on in RAM */
    pid_t pid = fork();
    if (pid == 0)
        become_next(process, follows);
    if (pid < 0) {
        sg_error("upgrade: %s", sg_err_text(sg_err_from_errno(errno)));
        return;
    }
    process->successor = pid;
    sg_info("upgrade: process %d starts %s and takes over when it is ready", (int)pid,
            process->program);
}

static void on_child(struct process *process)
{
    int status;
    for (pid_t pid; (pid = waitpid(-1, &status, WNOHANG)) > 0;) {
        if (pid == process->successor)
            process->successor = 0;
        if (!sgd_node_draining(process->node))
            sg_error("upgrade: process %d ended before it took over: this one serves on", (int)pid);
    }
}

static void on_signal(struct process *process)
{
    struct signalfd_siginfo info;
    if (read(process->signal_fd, &info, sizeof(info)) != sizeof(info))
        return;
    if (info.ssi_signo == SIGHUP)
        on_reload(process);
    else if (info.ssi_signo == SIGUSR2)
        on_upgrade(process);
    else if (info.ssi_signo == SIGCHLD)
        on_child(process);
    else
        on_terminate(process);
}

/* Before the first thread, which inherit the mask: signals come by the descriptor only. */
static int signals_open(void)
{
    sigset_t set;
    static const int handled[] = {SIGTERM, SIGINT, SIGHUP, SIGUSR2, SIGCHLD};
    sigemptyset(&set);
    for (size_t i = 0; i < SG_COUNT(handled); i++)
        sigaddset(&set, handled[i]);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN); /* a write past a limit fails, as one to a full disk does */
    if (sigprocmask(SIG_BLOCK, &set, NULL) != 0)
        return -1;
    return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

/* ---- the loop ---- */

/* Tells systemd that we live, as long as every worker is in its loop. */
static void tick(struct process *process)
{
    struct sgd_node_view view;
    sgd_node_tick(process->node);
    sgd_node_view(process->node, &view);
    if (view.workers_running == view.workers)
        sd_notify(0, "WATCHDOG=1");
}

static void run(struct process *process)
{
    uint64_t tick_at_ns = 0;
    while (!process->stop && !sgd_node_drained(process->node)) {
        struct pollfd fds[] = {
            {process->signal_fd, POLLIN, 0},
            {sgc_admin_fd(process->admin), POLLIN, 0},
        };
        int n = poll(fds, SG_COUNT(fds), sgd_node_draining(process->node) ? DRAIN_MS : TICK_MS);
        if (n > 0 && fds[0].revents != 0)
            on_signal(process);
        if (n > 0 && fds[1].revents != 0)
            sgc_admin_turn(process->admin);
        tell_reload(process);
        uint64_t now_ns = sg_clock_mono_ns();
        if (now_ns >= tick_at_ns) {
            tick(process);
            tick_at_ns = now_ns + TICK_MS * SG_NS_PER_MS;
        }
        sg_secret_rest(); /* a reload or a tick may have unsealed something */
    }
    sg_info("ending");
}

/* Our parent, when it started us to take over from it; else 0. */
static pid_t predecessor(void)
{
    const char *follows = getenv(FOLLOWS);
    pid_t pid = follows != NULL ? atoi(follows) : 0;
    unsetenv(FOLLOWS);
    return pid > 1 && pid == getppid() ? pid : 0;
}

/* The one whose listeners we share may stop accepting. */
static void take_over(pid_t pid)
{
    if (pid == 0)
        return;
    if (kill(pid, SIGTERM) == 0)
        sg_info("process %d drains: its listeners are ours", (int)pid);
    else
        sg_warn("process %d could not be told to drain", (int)pid);
}

static int serve(struct process *process, const struct sgt_options *options)
{
    struct sg_out report = report_begin();
    process->signal_fd = signals_open();
    if (process->signal_fd < 0)
        return EXIT_FAILURE;
    pid_t before = predecessor();
    const struct sgd_node_start how = {.follows = before != 0,
                                       .trust_file = options->trust,
                                       .deaf = options->role == SGC_ROLE_CONTROL};
    enum sg_err err = sgd_node_open(options->config, &how, &report, &process->node);
    if (err == SG_OK)
        err = control_open(process, options->role, &report);
    if (err == SG_OK)
        err = onchain_open(process, &report);
    if (err == SG_OK)
        err = sgc_admin_open(process->node, process->control, &report, &process->admin);
    sg_secret_rest();
    report_print(&report);
    int status = EXIT_FAILURE;
    if (err == SG_OK) {
        sg_info("serving: version %s, process %d", SG_VERSION, (int)getpid());
        sd_notifyf(0, "READY=1\nSTATUS=serving\nMAINPID=%d", (int)getpid());
        take_over(before);
        run(process);
        status = EXIT_SUCCESS;
    } else {
        sg_error("not started: %s", sg_err_text(err));
    }
    control_close(process);
    sgc_admin_close(process->admin);
    sgd_node_close(process->node);
    sgc_onchain_close(process->onchain);
    close(process->signal_fd);
    return status;
}

int main(int argc, char **argv)
{
    struct sgt_options options;
    struct process process = {.argv = argv, .signal_fd = -1};
    int status = sgt_options_parse(argc, argv, &options);
    if (status >= 0)
        return status;
    if (!sg_pkey_guard())
        sg_warn("private keys are not kept out of core dumps: OpenSSL was used before");
    if (options.check)
        return run_check(&options);
    /* Where the program is now: the file that an upgrade will have replaced. */
    ssize_t len = readlink("/proc/self/exe", process.program, sizeof(process.program) - 1);
    if (len <= 0)
        return EXIT_FAILURE;
    return serve(&process, &options);
}
