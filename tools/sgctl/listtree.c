#include "tools/sgctl/listtree.h"

#include "base/base58.h"
#include "tools/sgctl/args.h"

#include <stdio.h>
#include <stdlib.h>

#define LINE_BYTES 512

/* ---- accounts ---- */

bool sgt_list_account(struct sg_str text, struct sg_caip_address *out)
{
    struct sg_caip_account account;
    char memory[LINE_BYTES];
    struct sg_out name = sg_out_init(memory, sizeof(memory));
    *out = (struct sg_caip_address){.len = 32};
    if (memchr(text.ptr, ':', text.len) == NULL && !sg_str_starts(text, SG_STR("0x"))) {
        if (sg_base58_read(text, out->bytes, out->len))
            return true;
        sgt_refuse("%.*s: expected an account: 0x and 40 digits, base58 of Solana's, or such as "
                   "eip155:1:0xADDRESS",
                   (int)SG_MIN(text.len, 100u), text.ptr);
        return false;
    }
    if (sg_str_starts(text, SG_STR("0x")))
        sg_out_lit(&name, "eip155:1:"); /* which chain does not count */
    sg_out_str(&name, text);
    sg_out_char(&name, '\0');
    if (name.full || !sgt_account_read(memory, &account))
        return false;
    *out = account.address;
    return true;
}

static int by_address(const void *a, const void *b)
{
    const struct sg_caip_address *x = a, *y = b;
    if (x->len != y->len)
        return x->len < y->len ? -1 : 1;
    return memcmp(x->bytes, y->bytes, x->len);
}

static struct sg_str line_trim(char *line)
{
    line[strcspn(line, "#\r\n")] = '\0';
    line += strspn(line, " \t");
    size_t len = strlen(line);
    while (len > 0 && (line[len - 1] == ' ' || line[len - 1] == '\t'))
        len--;
    return (struct sg_str){line, len};
}

static bool account_add(struct sgt_list_tree *tree, uint32_t *cap, struct sg_str text)
{
    struct sg_caip_address account;
    if (!sgt_list_account(text, &account))
        return false;
    if (tree->count == SGT_LIST_ACCOUNTS_MAX)
        return sgt_refuse("more than %u accounts", SGT_LIST_ACCOUNTS_MAX), false;
    if (tree->count == *cap) {
        *cap = *cap == 0 ? 1024 : 2 * *cap;
        void *grown = realloc(tree->accounts, *cap * sizeof(*tree->accounts));
        if (grown == NULL)
            return sgt_refuse("no memory for more than %u accounts", tree->count), false;
        tree->accounts = grown;
    }
    tree->accounts[tree->count++] = account;
    return true;
}

static bool accounts_read(FILE *in, const char *file, struct sgt_list_tree *tree)
{
    char line[LINE_BYTES];
    uint32_t cap = 0, number = 0;
    while (fgets(line, sizeof(line), in) != NULL) {
        struct sg_str text = line_trim(line);
        number++;
        if (text.len != 0 && !account_add(tree, &cap, text)) {
            sgt_refuse("%s:%u: so nothing of that file is taken", file, number);
            return false;
        }
    }
    if (tree->count == 0)
        sgt_refuse("%s: no account is in it", file);
    return tree->count != 0;
}

/* Sorted, each once. */
static void accounts_settle(struct sgt_list_tree *tree)
{
    uint32_t kept = 0;
    qsort(tree->accounts, tree->count, sizeof(*tree->accounts), by_address);
    for (uint32_t i = 0; i < tree->count; i++)
        if (kept == 0 || by_address(&tree->accounts[kept - 1], &tree->accounts[i]) != 0)
            tree->accounts[kept++] = tree->accounts[i];
    tree->count = kept;
}

/* ---- the tree ---- */

struct leaf {
    uint8_t hash[SGD_LIST_HASH_BYTES];
    uint32_t account;
};

static int by_hash(const void *a, const void *b)
{
    return memcmp(((const struct leaf *)a)->hash, ((const struct leaf *)b)->hash,
                  SGD_LIST_HASH_BYTES);
}

/* Leaves stand at the end, the smallest hash last; each node is over the two at 2i + 1 and 2i + 2.
 */
static bool tree_make(struct sgt_list_tree *tree)
{
    uint32_t nodes = 2 * tree->count - 1;
    struct leaf *leaves = calloc(tree->count, sizeof(*leaves));
    tree->nodes = calloc(nodes, sizeof(*tree->nodes));
    tree->places = calloc(tree->count, sizeof(*tree->places));
    bool good = leaves != NULL && tree->nodes != NULL && tree->places != NULL;
    for (uint32_t i = 0; good && i < tree->count; i++) {
        sgd_list_leaf(&tree->accounts[i], leaves[i].hash);
        leaves[i].account = i;
    }
    if (good)
        qsort(leaves, tree->count, sizeof(*leaves), by_hash);
    for (uint32_t i = 0; good && i < tree->count; i++) {
        memcpy(tree->nodes[nodes - 1 - i], leaves[i].hash, SGD_LIST_HASH_BYTES);
        tree->places[leaves[i].account] = nodes - 1 - i;
    }
    for (uint32_t i = tree->count - 1; good && i-- > 0;)
        sgd_list_pair(tree->nodes[2 * i + 1], tree->nodes[2 * i + 2], tree->nodes[i]);
    free(leaves);
    return good;
}

bool sgt_list_read(const char *file, struct sgt_list_tree *out)
{
    *out = (struct sgt_list_tree){.count = 0};
    FILE *in = fopen(file, "re");
    if (in == NULL) {
        sgt_refuse("%s: %s", file, sg_err_text(sg_err_from_errno(errno)));
        return false;
    }
    bool good = accounts_read(in, file, out);
    fclose(in);
    if (!good)
        return false;
    accounts_settle(out);
    if (!tree_make(out))
        return sgt_refuse("%s: %s", file, sg_err_text(SG_ENOMEM)), false;
    return true;
}

void sgt_list_free(struct sgt_list_tree *tree)
{
    free(tree->accounts);
    free(tree->places);
    free(tree->nodes);
}

uint32_t sgt_list_find(const struct sgt_list_tree *tree, const struct sg_caip_address *account)
{
    const struct sg_caip_address *found =
        bsearch(account, tree->accounts, tree->count, sizeof(*tree->accounts), by_address);
    return found == NULL ? UINT32_MAX : (uint32_t)(found - tree->accounts);
}

uint32_t sgt_list_proof(const struct sgt_list_tree *tree, uint32_t at,
                        const uint8_t *out[SGD_LIST_HASHES_MAX])
{
    uint32_t count = 0;
    for (uint32_t node = tree->places[at]; node > 0; node = (node - 1) / 2)
        out[count++] = tree->nodes[node % 2 == 1 ? node + 1 : node - 1];
    return count;
}
