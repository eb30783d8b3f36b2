/* assert - checks of what only our own bug could break. They stay on in release builds, print
 * where and what, and abort: a node that is wrong stops and is restarted rather than serve wrong
 * bytes. Never assert input. */
#ifndef SG_BASE_ASSERT_H
#define SG_BASE_ASSERT_H

#include <stddef.h>
#include <stdint.h>

__attribute__((noreturn, cold)) void sg_assert_failed(const char *expr, const char *file, int line,
                                                      const char *func);

#define SG_ASSERT(expr)                                                                            \
    do {                                                                                           \
        if (__builtin_expect(!(expr), 0))                                                          \
            sg_assert_failed(#expr, __FILE__, __LINE__, __func__);                                 \
    } while (0)

/* For paths run per packet or per record: on in debug builds only. */
#ifdef SG_DEBUG_ASSERTS
#define SG_DASSERT(expr) SG_ASSERT(expr)
#else
#define SG_DASSERT(expr)                                                                           \
    do {                                                                                           \
        (void)sizeof(expr);                                                                        \
    } while (0)
#endif

#define SG_UNREACHABLE() sg_assert_failed("unreachable", __FILE__, __LINE__, __func__)

/* Objects that travel as void * begin with a magic: SG_MAGIC_FIELD first, SG_CAST on return. */
#define SG_MAGIC_FIELD uint32_t magic
#define SG_CAST(type, arg)                                                                         \
    ({                                                                                             \
        struct type *sg_cast_ = (arg);                                                             \
        SG_ASSERT(sg_cast_ != NULL);                                                               \
        SG_ASSERT(sg_cast_->magic == type##_MAGIC);                                                \
        sg_cast_;                                                                                  \
    })

#define SG_BIT(n)   (1u << (n))
#define SG_COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define SG_MIN(a, b)                                                                               \
    ({                                                                                             \
        __typeof__(a) sg_a_ = (a);                                                                 \
        __typeof__(b) sg_b_ = (b);                                                                 \
        sg_a_ < sg_b_ ? sg_a_ : sg_b_;                                                             \
    })
#define SG_MAX(a, b)                                                                               \
    ({                                                                                             \
        __typeof__(a) sg_a_ = (a);                                                                 \
        __typeof__(b) sg_b_ = (b);                                                                 \
        sg_a_ > sg_b_ ? sg_a_ : sg_b_;                                                             \
    })
#define SG_CONTAINER_OF(ptr, type, member) ((type *)(void *)((char *)(ptr)-offsetof(type, member)))
/* Gives the pointer away: the variable is NULL afterwards. */
#define SG_TAKE(ptr)                                                                               \
    ({                                                                                             \
        __typeof__(ptr) sg_take_ = (ptr);                                                          \
        (ptr) = NULL;                                                                              \
        sg_take_;                                                                                  \
    })
#define SG_CACHELINE    64
#define SG_ALIGNED      __attribute__((aligned(SG_CACHELINE)))
#define SG_PRINTF(f, a) __attribute__((format(printf, f, a)))

#endif
