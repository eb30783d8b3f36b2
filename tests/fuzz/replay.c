/* replay - runs a fuzzer's corpus as a test: every file of the folder named, once. */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static void replay_file(const char *folder, const char *name)
{
    static uint8_t bytes[1 << 20];
    char path[4096];
    snprintf(path, sizeof(path), "%s/%s", folder, name);
    FILE *f = fopen(path, "rb");
    if (f == NULL) {
        perror(path);
        exit(1);
    }
    size_t len = fread(bytes, 1, sizeof(bytes), f);
    fclose(f);
    uint8_t *exact = malloc(len == 0 ? 1 : len); /* its own block: the sanitizer sees its end */
    if (exact == NULL)
        exit(1);
    for (size_t i = 0; i < len; i++)
        exact[i] = bytes[i];
    LLVMFuzzerTestOneInput(exact, len);
    free(exact);
}

int main(int argc, char **argv)
{
    unsigned count = 0;
    DIR *dir = argc == 2 ? opendir(argv[1]) : NULL;
    if (dir == NULL) {
        fprintf(stderr, "usage: replay CORPUS-FOLDER\n");
        return 2;
    }
    for (struct dirent *entry; (entry = readdir(dir)) != NULL;) {
        if (entry->d_name[0] == '.')
            continue;
        replay_file(argv[1], entry->d_name);
        count++;
    }
    closedir(dir);
    printf("%u inputs replayed\n", count);
    return count == 0; /* an empty corpus tests nothing */
}
