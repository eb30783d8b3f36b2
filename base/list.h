/* list - an intrusive doubly linked list. A node is in at most one list; owned by one core. */
#ifndef SG_BASE_LIST_H
#define SG_BASE_LIST_H

#include "base/assert.h"

#include <stdbool.h>

struct sg_list {
    struct sg_list *next, *prev;
};

static inline void sg_list_init(struct sg_list *node)
{
    node->next = node->prev = node;
}

/* True for an empty head, and for a node that is in no list. */
static inline bool sg_list_empty(const struct sg_list *node)
{
    return node->next == node;
}

static inline void sg_list_push_back(struct sg_list *head, struct sg_list *node)
{
    SG_DASSERT(sg_list_empty(node));
    node->prev = head->prev;
    node->next = head;
    head->prev->next = node;
    head->prev = node;
}

static inline void sg_list_push_front(struct sg_list *head, struct sg_list *node)
{
    sg_list_push_back(head->next, node);
}

/* Harmless for a node that is in no list. */
static inline void sg_list_remove(struct sg_list *node)
{
    node->prev->next = node->next;
    node->next->prev = node->prev;
    sg_list_init(node);
}

/* NULL when the list is empty. */
static inline struct sg_list *sg_list_pop_front(struct sg_list *head)
{
    struct sg_list *node = head->next;
    if (node == head)
        return NULL;
    sg_list_remove(node);
    return node;
}

#define sg_list_entry(node, type, member) SG_CONTAINER_OF(node, type, member)
/* The body may remove `it`. */
#define sg_list_for_each_safe(it, head)                                                            \
    for (struct sg_list *it = (head)->next, *sg_next_ = it->next; it != (head);                    \
         it = sg_next_, sg_next_ = it->next)

#endif
