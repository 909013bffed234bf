// Heartbeats: an end of a link that is half open, or of one whose other side is stopped or does not
// read, is told by nobody; so it is found out.
//
// Each side says in its hello how long it bears silence. The other one sends an empty frame when it
// has had nothing to say for a quarter of that, so silence means something. A sign of life is a
// whole frame, or so much of a large one: who sends a byte now and then is silent. A peer that has
// not said that it knows of this is only expected to read what it is sent.
//
// A loop that was held up itself judges nobody by what it has not looked at.
#include "base/log.h"
#include "remote/remote.h"

#define SILENCE_MAX_MS 86400000u

static void beat_arm(tr__peer *peer, uint64_t now)
{
    tr__beat *beat = &peer->beat;
    beat->due = now + beat->period;
    if (tr__timer_arm(peer->remote->loop, &beat->timer, beat->due) < 0)
        tr__peer_break(peer);
}

// Whether there is nothing left that the peer keeps us waiting for.
static bool beat_reads(const tr__peer *peer)
{
    return peer->link->ops->queued(peer->link) == 0 || peer->link->told != peer->beat.told;
}

static bool beat_talks(const tr__peer *peer)
{
    return !peer->beat.both || peer->link->heard - peer->beat.heard >= TR__LIFE_BYTES;
}

static void beat_say(tr__peer *peer)
{
    const tr__link_ops *ops = peer->link->ops;
    if (peer->beat.both && ops->given(peer->link) == peer->beat.given &&
        tr__peer_frame(peer) != NULL)
        ops->send(peer->link, &peer->frame);
    peer->beat.given = ops->given(peer->link);
}

static void beat_late(tr__peer *peer, const char *what)
{
    tr__warn("peer.lost", "node=%016llx name=%s error=TR_ETIMEDOUT: it %s",
             (unsigned long long)peer->node, peer->far.name, what);
    peer->why = TR_ETIMEDOUT;
    tr__peer_lost(peer);
}

static void beat_fire(tr__timer *timer)
{
    tr__peer *peer = tr__container(timer, tr__peer, beat.timer);
    tr__beat *beat = &peer->beat;
    tr_world *world = peer->remote->loop->world;
    uint64_t now = world->ops->now(world), bears = peer->remote->outside->silence_ns;
    bool held_up = now - beat->due > beat->period;
    if (held_up || beat_talks(peer)) {
        beat->heard = peer->link->heard;
        beat->heard_at = now;
    }
    if (held_up || beat_reads(peer)) {
        beat->told = peer->link->told;
        beat->told_at = now;
    }
    if (now - beat->heard_at + beat->period >= bears) {
        beat_late(peer, "is silent");
    } else if (now - beat->told_at + beat->period >= bears) {
        beat_late(peer, "does not read");
    } else {
        beat_say(peer);
        beat_arm(peer, now);
    }
}

void tr__peer_beat_start(tr__peer *peer, tr_val hello)
{
    tr__beat *beat = &peer->beat;
    tr_world *world = peer->remote->loop->world;
    uint64_t ms = 0, bears = peer->remote->outside->silence_ns, now = world->ops->now(world);
    beat->both = tr_get_uint(hello, "silence", &ms) == 0 && ms > 0 && ms <= SILENCE_MAX_MS;
    ms = ms < TR__SILENCE_MIN_MS ? TR__SILENCE_MIN_MS : ms;
    beat->period = (beat->both && TR_MS(ms) < bears ? TR_MS(ms) : bears) / 4;
    beat->heard = peer->link->heard;
    beat->told = peer->link->told;
    beat->heard_at = beat->told_at = now;
    beat->timer.fire = beat_fire;
    beat_arm(peer, now);
}
