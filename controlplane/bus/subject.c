#include "controlplane/bus/subject.h"

/* Takes the next word off *rest, with the dot behind it. False: there is none. */
static bool word_next(struct sg_str *rest, struct sg_str *word)
{
    if (rest->ptr == NULL)
        return false;
    const char *dot = memchr(rest->ptr, '.', rest->len);
    size_t len = dot != NULL ? (size_t)(dot - rest->ptr) : rest->len;
    *word = (struct sg_str){rest->ptr, len};
    *rest = dot != NULL ? (struct sg_str){dot + 1, rest->len - len - 1} : SG_STR_NONE;
    return true;
}

static bool word_right(struct sg_str word)
{
    for (size_t i = 0; i < word.len; i++) {
        char c = word.ptr[i];
        if (c <= ' ' || c > '~' || c == '*' || c == '>' || c == ',')
            return false;
    }
    return word.len > 0;
}

static bool words_right(struct sg_str s, bool wild)
{
    struct sg_str word;
    if (s.len == 0 || s.len > SGC_SUBJECT_BYTES_MAX)
        return false;
    while (word_next(&s, &word)) {
        bool any = wild && (sg_str_eq(word, SG_STR("*")) ||
                            (sg_str_eq(word, SG_STR(">")) && s.ptr == NULL));
        if (!any && !word_right(word))
            return false;
    }
    return true;
}

bool sgc_subject_right(struct sg_str subject)
{
    return words_right(subject, false);
}

bool sgc_filter_right(struct sg_str filter)
{
    return words_right(filter, true);
}

bool sgc_subject_matches(struct sg_str filter, struct sg_str subject)
{
    struct sg_str want, word;
    while (word_next(&filter, &want)) {
        if (!word_next(&subject, &word))
            return false;
        if (sg_str_eq(want, SG_STR(">")))
            return true;
        if (!sg_str_eq(want, SG_STR("*")) && !sg_str_eq(want, word))
            return false;
    }
    return !word_next(&subject, &word);
}

bool sgc_name_right(struct sg_str name)
{
    for (size_t i = 0; i < name.len; i++) {
        char c = name.ptr[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        if (!letter && !(c >= '0' && c <= '9') && c != '-' && c != '_')
            return false;
    }
    return name.len > 0 && name.len <= SGC_NAME_BYTES_MAX;
}

bool sgc_filters_next(struct sg_str *rest, struct sg_str *filter)
{
    if (rest->ptr == NULL)
        return false;
    const char *comma = memchr(rest->ptr, ',', rest->len);
    size_t len = comma != NULL ? (size_t)(comma - rest->ptr) : rest->len;
    *filter = (struct sg_str){rest->ptr, len};
    *rest = comma != NULL ? (struct sg_str){comma + 1, rest->len - len - 1} : SG_STR_NONE;
    return true;
}
