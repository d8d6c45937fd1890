/* command_hash.h: the hash of a command name, shared by the lookup and by the program that finds the perfect multiplier
 * when Respite is built (command_slots.c).
 *
 * A name of up to 16 bytes is seen whole through two loads, which may overlap, from its front and from its end; case is
 * folded in the words. Both sides of a comparison are loaded on the same machine, so byte order does not matter. */
#ifndef COMMON_COMMAND_COMMAND_HASH_H
#define COMMON_COMMAND_COMMAND_HASH_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum {
    COMMAND_SLOT_BITS = 12, /* 4096 slots for some 250 names: a multiplier without collisions is soon found */
    COMMAND_NAME_MAX = 24,  /* no command is longer */
    COMMAND_NAME_SEEN = 16, /* bytes that the words are sure to hold; longer names have a middle */
};

struct command_words {
    uint64_t front, back;
};

/* A..Z become a..z in all eight bytes at once: Hacker's Delight, section 6-1. Other bytes below 0x80 stay; those above
 * may change, but stay above, and no name has any. */
static inline uint64_t command_fold(uint64_t word)
{
    const uint64_t ones = UINT64_C(0x0101010101010101);
    uint64_t low = word & (ones * 0x7f);
    uint64_t above_z = low + ones * (0x7f - 'Z');
    uint64_t from_a = low + ones * (0x80 - 'A');
    uint64_t is_upper = (from_a ^ above_z) & (ones * 0x80);
    return word | is_upper >> 2;
}

/* length is 1 .. COMMAND_NAME_MAX. */
static inline struct command_words command_words_of(const char *name, size_t length)
{
    struct command_words words;
    if (length >= 8) {
        memcpy(&words.front, name, 8);
        memcpy(&words.back, name + length - 8, 8);
    } else if (length >= 4) {
        uint32_t front, back;
        memcpy(&front, name, 4);
        memcpy(&back, name + length - 4, 4);
        words = (struct command_words){front, back};
    } else {
        words.front = (unsigned char)name[0] | (uint64_t)(unsigned char)name[length / 2] << 8;
        words.back = (unsigned char)name[length - 1];
    }
    words.front = command_fold(words.front);
    words.back = command_fold(words.back);
    return words;
}

static inline uint32_t command_slot(struct command_words words, uint64_t multiplier)
{
    uint64_t mixed = (words.front ^ (words.back << 29 | words.back >> 35)) * multiplier;
    return (uint32_t)(mixed >> (64 - COMMAND_SLOT_BITS));
}

#endif
