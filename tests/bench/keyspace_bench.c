/* keyspace_bench: what a GET and a SET cost inside the keyspace, with and without prefetching a batch first, and what a
 * key costs in memory. Arguments: number of keys, bytes of the value, 1 for a TTL on each key. */
#include "cacheworker/keyspace/keyspace.h"
#include "common/base/mem.h"
#include "common/base/rand.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

enum { KEY_BYTES = 16, BATCH = 100, VALUE_MAX = 1 << 16, OPERATIONS = 4000000 };

static char value_bytes[VALUE_MAX];
static uint64_t checksum;

static double cpu_ns(void)
{
    struct timespec time;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
    return (double)time.tv_sec * 1e9 + (double)time.tv_nsec;
}

static double resident_bytes(void)
{
    long size = 0;
    long pages = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    if (!file || fscanf(file, "%ld %ld", &size, &pages) != 2)
        abort();
    fclose(file);
    return (double)pages * (double)sysconf(_SC_PAGESIZE);
}

static void key_text(char *text, uint64_t number)
{
    char padded[32];
    (void)snprintf(padded, sizeof(padded), "key:%012llu", (unsigned long long)number);
    memcpy(text, padded, KEY_BYTES);
}

static void set(struct cw_keyspace *keyspace, struct slice key, uint64_t hash, size_t length, int64_t expire_ms)
{
    struct cw_ref ref;
    cw_keyspace_open(keyspace, 0, key, hash, 0, &ref);
    cw_keyspace_put_expiring(keyspace, &ref, CW_TYPE_STRING, CW_ENCODING_PLAIN, slice_of(value_bytes, length),
                             expire_ms);
}

static void get(struct cw_keyspace *keyspace, struct slice key, uint64_t hash)
{
    const struct cw_entry *entry = cw_keyspace_read(keyspace, 0, key, hash, 0);
    struct slice value = cw_entry_value(entry);
    checksum += (unsigned char)value.data[0] + value.length;
}

static void measure(struct cw_keyspace *keyspace, struct rand *rand, uint64_t keys, size_t length, int64_t expire_ms,
                    bool writing, bool prefetching)
{
    static char text[BATCH][KEY_BYTES];
    uint64_t hashes[BATCH];
    double spent = 0;
    for (unsigned done = 0; done < OPERATIONS; done += BATCH) {
        for (unsigned i = 0; i < BATCH; i++)
            key_text(text[i], rand_below(rand, keys));
        double begin = cpu_ns();
        for (unsigned i = 0; i < BATCH; i++) {
            hashes[i] = cw_keyspace_hash(keyspace, slice_of(text[i], KEY_BYTES));
            if (prefetching)
                cw_keyspace_prefetch_bucket(keyspace, 0, hashes[i]);
        }
        for (unsigned i = 0; prefetching && i < BATCH; i++)
            cw_keyspace_prefetch_entry(keyspace, 0, hashes[i]);
        for (unsigned i = 0; i < BATCH; i++) {
            if (writing)
                set(keyspace, slice_of(text[i], KEY_BYTES), hashes[i], length, expire_ms);
            else
                get(keyspace, slice_of(text[i], KEY_BYTES), hashes[i]);
        }
        spent += cpu_ns() - begin;
    }
    printf("%s%s %.1f ns\n", writing ? "set" : "get", prefetching ? ", batch prefetched" : "", spent / OPERATIONS);
}

static void visit(void *context, unsigned database, const struct cw_entry *entry)
{
    (void)context;
    (void)database;
    checksum += cw_entry_value(entry).length + cw_entry_key(entry).length;
}

/* Shows all entries to a snapshot, and tells the longest step of 64 buckets. */
static void measure_snapshot(struct cw_keyspace *keyspace, uint64_t keys)
{
    double longest = 0;
    double begin = cpu_ns();
    cw_keyspace_snapshot_begin(keyspace, &(struct cw_snapshot_visitor){.context = NULL, .entry = visit});
    for (bool more = true; more;) {
        double step = cpu_ns();
        more = cw_keyspace_snapshot_step(keyspace, 64);
        step = cpu_ns() - step;
        longest = step > longest ? step : longest;
    }
    printf("snapshot %.1f ns per key, longest step %.1f us\n", (cpu_ns() - begin) / (double)keys, longest / 1e3);
}

int main(int argc, char **argv)
{
    uint64_t keys = argc > 1 ? strtoull(argv[1], NULL, 10) : 1000000;
    size_t length = argc > 2 ? strtoull(argv[2], NULL, 10) : 8;
    int64_t expire_ms = argc > 3 && argv[3][0] == '1' ? (int64_t)1 << 40 : CW_NO_EXPIRY;
    if (length > VALUE_MAX)
        return 1;
    memset(value_bytes, 'x', sizeof(value_bytes));

    struct cw_keyspace_config config = {.databases = 1, .seed = 1};
    struct cw_keyspace *keyspace = cw_keyspace_create(&config);
    struct rand rand;
    rand_seed(&rand, 2);
    double resident = resident_bytes();
    double begin = cpu_ns();
    for (uint64_t i = 0; i < keys; i++) {
        char text[KEY_BYTES];
        key_text(text, i);
        struct slice key = slice_of(text, KEY_BYTES);
        set(keyspace, key, cw_keyspace_hash(keyspace, key), length, expire_ms);
    }
    printf("load %.1f ns\n", (cpu_ns() - begin) / (double)keys);
    printf("resident %.1f B, accounted %.1f B per key\n", (resident_bytes() - resident) / (double)keys,
           (double)cw_keyspace_used_bytes(keyspace) / (double)keys);
    for (unsigned i = 0; i < 4; i++)
        measure(keyspace, &rand, keys, length, expire_ms, i & 2, i & 1);
    measure_snapshot(keyspace, keys);
    printf("checksum %llu\n", (unsigned long long)checksum);
    cw_keyspace_destroy(keyspace);
    return 0;
}
