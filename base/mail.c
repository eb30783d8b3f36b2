#include "base/mail.h"

#include "base/alloc.h"

#include <sys/eventfd.h>
#include <unistd.h>

struct mail_ring {
    SG_ALIGNED _Atomic uint32_t head; /* consumer */
    SG_ALIGNED _Atomic uint32_t tail; /* producer */
    struct sg_msg *slots;
};

struct mail_box {
    SG_ALIGNED _Atomic bool sleeping;
    int wake_fd;
    uint32_t next_sender; /* where the last take stopped */
};

struct sg_mail {
    uint32_t threads;
    uint32_t mask;
    struct mail_box *boxes;
    struct mail_ring *rings; /* [to * threads + from] */
    struct sg_msg *slots;
};

void sg_mail_close(struct sg_mail *mail)
{
    if (mail == NULL)
        return;
    for (uint32_t i = 0; mail->boxes != NULL && i < mail->threads; i++)
        if (mail->boxes[i].wake_fd > 0)
            close(mail->boxes[i].wake_fd);
    sg_boot_free(mail->boxes);
    sg_boot_free(mail->rings);
    sg_boot_free(mail->slots);
    sg_boot_free(mail);
}

enum sg_err sg_mail_open(uint32_t threads, uint32_t ring_messages, struct sg_mail **out)
{
    SG_ASSERT(threads > 0 && threads < UINT16_MAX);
    SG_ASSERT(ring_messages > 0 && (ring_messages & (ring_messages - 1)) == 0);
    enum sg_err err = SG_ENOMEM;
    size_t rings = (size_t)threads * threads;
    struct sg_mail *mail = sg_boot_alloc(sizeof(*mail));
    if (mail == NULL)
        return SG_ENOMEM;
    mail->threads = threads;
    mail->mask = ring_messages - 1;
    mail->boxes = sg_boot_alloc_array(threads, sizeof(*mail->boxes));
    mail->rings = sg_boot_alloc_array(rings, sizeof(*mail->rings));
    mail->slots = sg_boot_alloc_array(rings * ring_messages, sizeof(*mail->slots));
    if (mail->boxes == NULL || mail->rings == NULL || mail->slots == NULL)
        goto out;
    for (size_t i = 0; i < rings; i++)
        mail->rings[i].slots = mail->slots + i * ring_messages;
    for (uint32_t i = 0; i < threads; i++) {
        mail->boxes[i].wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
        if (mail->boxes[i].wake_fd < 0) {
            err = sg_err_from_errno(errno);
            goto out;
        }
    }
    err = SG_OK;
    *out = SG_TAKE(mail);
out:
    sg_mail_close(mail);
    return err;
}

void sg_mail_wake(struct sg_mail *mail, uint16_t to)
{
    uint64_t one = 1;
    SG_ASSERT(to < mail->threads);
    ssize_t n = write(mail->boxes[to].wake_fd, &one, sizeof(one));
    (void)n; /* EAGAIN: the counter is full, so it is awake */
}

bool sg_mail_send(struct sg_mail *mail, uint16_t from, uint16_t to, const struct sg_msg *msg)
{
    SG_ASSERT(from < mail->threads && to < mail->threads);
    struct mail_ring *ring = &mail->rings[(size_t)to * mail->threads + from];
    uint32_t tail = atomic_load_explicit(&ring->tail, memory_order_relaxed);
    if (tail - atomic_load_explicit(&ring->head, memory_order_acquire) > mail->mask)
        return false;
    ring->slots[tail & mail->mask] = *msg;
    ring->slots[tail & mail->mask].from = from;
    atomic_store_explicit(&ring->tail, tail + 1, memory_order_release);
    /* Pairs with sg_mail_sleep_begin(): either it sees the message or we see it asleep. */
    atomic_thread_fence(memory_order_seq_cst);
    if (atomic_load_explicit(&mail->boxes[to].sleeping, memory_order_relaxed) &&
        atomic_exchange_explicit(&mail->boxes[to].sleeping, false, memory_order_relaxed))
        sg_mail_wake(mail, to);
    return true;
}

static bool ring_take(struct mail_ring *ring, uint32_t mask, struct sg_msg *out)
{
    uint32_t head = atomic_load_explicit(&ring->head, memory_order_relaxed);
    if (head == atomic_load_explicit(&ring->tail, memory_order_acquire))
        return false;
    *out = ring->slots[head & mask];
    atomic_store_explicit(&ring->head, head + 1, memory_order_release);
    return true;
}

uint32_t sg_mail_take(struct sg_mail *mail, uint16_t me, struct sg_msg *out, uint32_t max)
{
    SG_ASSERT(me < mail->threads);
    struct mail_box *box = &mail->boxes[me];
    uint32_t taken = 0, empty = 0;
    while (taken < max && empty < mail->threads) {
        struct mail_ring *ring = &mail->rings[(size_t)me * mail->threads + box->next_sender];
        if (ring_take(ring, mail->mask, &out[taken])) {
            taken++;
            empty = 0;
        } else {
            empty++;
        }
        box->next_sender = (box->next_sender + 1) % mail->threads;
    }
    return taken;
}

int sg_mail_wake_fd(struct sg_mail *mail, uint16_t me)
{
    SG_ASSERT(me < mail->threads);
    return mail->boxes[me].wake_fd;
}

bool sg_mail_sleep_begin(struct sg_mail *mail, uint16_t me)
{
    SG_ASSERT(me < mail->threads);
    atomic_store_explicit(&mail->boxes[me].sleeping, true, memory_order_relaxed);
    atomic_thread_fence(memory_order_seq_cst);
    for (uint32_t from = 0; from < mail->threads; from++) {
        struct mail_ring *ring = &mail->rings[(size_t)me * mail->threads + from];
        if (atomic_load_explicit(&ring->tail, memory_order_acquire) !=
            atomic_load_explicit(&ring->head, memory_order_relaxed)) {
            sg_mail_sleep_end(mail, me);
            return true;
        }
    }
    return false;
}

void sg_mail_sleep_end(struct sg_mail *mail, uint16_t me)
{
    atomic_store_explicit(&mail->boxes[me].sleeping, false, memory_order_relaxed);
}
