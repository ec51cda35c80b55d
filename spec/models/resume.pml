/* Resumption (spec/session.md, 8 and 12): exactly once, in order, and in the end everything, over connections that a relay
   may cut, and on which it drops, holds back, repeats and reflects what it likes, also on a connection of its own.

   One direction of data, S -> V; SE-20 and others couple the directions by epochs only (resume_epoch.pml) and by the retransmit
   buffer (buffers.pml). Either end begins a connection, or both, so S is the one that adopts first and the one that
   adopts last. An ACK is a loose message here: losing one without a gap is worse than what can happen.

   mutants: NO_MAX (SE-55), EARLY (SE-54), NO_RESEND (12.2 step 3), OWES_NOTHING (no ACK on adoption)
   run: CUTS=1 DROPS=1 REPLAYS=1 SWITCHES=0 N=2 -> pass
   run: CUTS=0 DROPS=0 REPLAYS=1 SWITCHES=1 N=2 -> pass
   run: CUTS=1 DROPS=0 REPLAYS=0 SWITCHES=1 N=3 -> pass
   run: CUTS=0 DROPS=1 REPLAYS=0 SWITCHES=1 N=2 -> pass
   run: NO_MAX CUTS=0 DROPS=0 REPLAYS=0 SWITCHES=1 N=2 -> fail
   run: EARLY CUTS=2 DROPS=0 REPLAYS=1 SWITCHES=0 N=1 -> fail
   run: NO_RESEND CUTS=1 DROPS=0 REPLAYS=0 SWITCHES=0 N=1 -> fail
   run: OWES_NOTHING CUTS=1 DROPS=0 REPLAYS=0 SWITCHES=1 N=2 -> fail
*/
/* N records; faults of the relay: CUTS, DROPS on living connections, REPLAYS of a frame anywhere; SWITCHES: new
   connections while the old one lives */
#define W 2             /* retransmit buffer */
#define CONNS 5         /* connections in all */
#define CAP 2           /* frames in flight, for each connection and direction */

mtype = { DATA, ACK, RES, RSP };
/* type, from V, seq or generation, rx_next, nonce, echo */
chan up[CONNS] = [CAP] of { mtype, bit, byte, byte, byte, byte };      /* to V */
chan dn[CONNS] = [CAP] of { mtype, bit, byte, byte, byte, byte };      /* to S */
bool alive[CONNS], s_at[CONNS], v_at[CONNS];     /* who is at an end of it; of the relay's own, one alone */
byte conns = 1, latest = 0;
byte cuts = 0, drops = 0, replays = 0, switches = 0;

/* S: sealed below hi, acknowledged below una, tx is sent next */
byte hi = 0, una = 0, tx = 0, kept = 0;        /* what is below kept was erased */
byte s_cur = 0, s_gen = 0, s_prop = 0, s_cgen[CONNS], s_ans[CONNS];
bool s_todo[CONNS], v_todo[CONNS];
/* V: rcv is expected next; so many were handed on */
byte rcv = 0, delivered = 0;
byte v_cur = 0, v_gen = 0, v_prop = 0, v_cgen[CONNS], v_ans[CONNS];
bool owes = false;

#define S_NONCE(k) (1 + k)
#define V_NONCE(k) (1 + CONNS + k)
#define MAX(a, b) ((a) > (b) -> (a) : (b))

/* The lowest above all that it adopted or proposed; odd for S, even for V. */
inline s_propose(k) { d_step { s_prop = MAX(s_prop, s_gen) + 1; s_prop = s_prop + 1 - (s_prop % 2); s_cgen[k] = MAX(s_cgen[k], s_prop) } }
inline v_propose(k) { d_step { v_prop = MAX(v_prop, v_gen) + 1; v_prop = v_prop + (v_prop % 2); v_cgen[k] = MAX(v_cgen[k], v_prop) } }

inline forget() { t = 0; f = 0; a = 0; r = 0; n = 0; e = 0 }

inline s_adopt(k, rx) {
  assert(v_at[k]);                                       /* SE-54 */
  s_cur = k; s_gen = s_cgen[k]; kept = MAX(kept, rx);
#ifdef NO_MAX
  una = rx; tx = una
#else
  una = MAX(una, rx);
#ifdef NO_RESEND
  tx = MAX(tx, una)
#else
  tx = una
#endif
#endif
}
inline v_adopt(k) {
  assert(s_at[k]);                                       /* SE-54 */
  v_cur = k; v_gen = v_cgen[k];
#ifndef OWES_NOTHING
  owes = true                                            /* what it told on this connection may be old */
#endif
}

/* A full connection never stops an end from reading: the answer waits, and what is sent later waits for it. */
inline s_answer(k) { if :: nfull(up[k]) -> up[k]!RSP,0,s_cgen[k],0,S_NONCE(k),s_ans[k]; s_todo[k] = false :: else -> skip fi }
inline v_answer(k) { if :: nfull(dn[k]) -> dn[k]!RSP,1,v_cgen[k],rcv,V_NONCE(k),v_ans[k]; v_todo[k] = false :: else -> skip fi }

inline s_hear(k) {
  dn[k]?t,f,a,r,n,e;
  if
  :: f == 0 -> skip                                      /* reflected: other direction, other key */
  :: else ->
    if
    :: t == ACK -> assert(a <= hi); una = MAX(una, a); tx = MAX(tx, una); kept = MAX(kept, una)
    :: t == RES || t == RSP ->
      assert(r <= hi);
      s_cgen[k] = MAX(s_cgen[k], a);
      if
      :: n != s_ans[k] && alive[k] ->
        if :: s_cgen[k] == a && s_prop < a -> s_propose(k) :: else -> skip fi;
        s_ans[k] = n; s_todo[k] = true; s_answer(k)
      :: else -> skip
      fi;
      if
#ifdef EARLY
      :: alive[k] && s_cgen[k] > s_gen -> s_adopt(k, r)
#else
      :: t == RSP && e == S_NONCE(k) && alive[k] && s_cgen[k] > s_gen -> s_adopt(k, r)
#endif
      :: else -> skip
      fi
    fi
  fi
}
inline v_hear(k) {
  up[k]?t,f,a,r,n,e;
  if
  :: f == 1 -> skip
  :: else ->
    if
    :: t == DATA && a == rcv -> assert(delivered == a); delivered++; rcv++; owes = true     /* on any connection */
    :: t == DATA && a < rcv -> skip                      /* duplicate */
    :: t == DATA && a > rcv -> if :: k == v_cur -> alive[k] = false :: else -> skip fi      /* gap, or late */
    :: t == RES || t == RSP ->
      v_cgen[k] = MAX(v_cgen[k], a);
      if
      :: n != v_ans[k] && alive[k] ->
        if :: v_cgen[k] == a && v_prop < a -> v_propose(k) :: else -> skip fi;
        v_ans[k] = n; v_todo[k] = true; v_answer(k)
      :: else -> skip
      fi;
      if
#ifdef EARLY
      :: alive[k] && v_cgen[k] > v_gen -> v_adopt(k)
#else
      :: t == RSP && e == V_NONCE(k) && alive[k] && v_cgen[k] > v_gen -> v_adopt(k)
#endif
      :: else -> skip
      fi
    fi
  fi
}

#define S_HEARS(k) :: atomic { s_at[k] && nempty(dn[k]) -> s_hear(k); forget() } \
  :: atomic { s_todo[k] && nfull(up[k]) -> s_answer(k) }
#define V_HEARS(k) :: atomic { v_at[k] && nempty(up[k]) -> v_hear(k); forget() } \
  :: atomic { v_todo[k] && nfull(dn[k]) -> v_answer(k) }

active proctype S() {
  mtype t; bit f; byte a, r, n, e;
end: do
  :: atomic { alive[s_cur] && hi < N && hi < una + W -> hi++ }                                     /* seal */
  :: atomic { alive[s_cur] && tx < hi && !s_todo[s_cur] && nfull(up[s_cur]) -> assert(tx >= kept); up[s_cur]!DATA,0,tx,0,0,0; tx++ }     /* transmit */
  S_HEARS(0) S_HEARS(1) S_HEARS(2) S_HEARS(3) S_HEARS(4)
  od }

active proctype V() {
  mtype t; bit f; byte a, r, n, e;
end: do
  :: atomic { owes && alive[v_cur] && !v_todo[v_cur] && nfull(dn[v_cur]) -> dn[v_cur]!ACK,1,rcv,0,0,0; owes = false }
  V_HEARS(0) V_HEARS(1) V_HEARS(2) V_HEARS(3) V_HEARS(4)
  od }

inline open(k) {
  latest = k; alive[k] = true; s_at[k] = true; v_at[k] = true;
  if
  :: s_propose(k); up[k]!RES,0,s_cgen[k],0,S_NONCE(k),0
  :: v_propose(k); dn[k]!RES,1,v_cgen[k],rcv,V_NONCE(k),0
  :: s_propose(k); up[k]!RES,0,s_cgen[k],0,S_NONCE(k),0; v_propose(k); dn[k]!RES,1,v_cgen[k],rcv,V_NONCE(k),0
  fi
}
#define DROP(k) :: drops < DROPS && alive[k] && nempty(up[k]) -> up[k]?t,f,a,r,n,e; drops++ \
                :: drops < DROPS && alive[k] && nempty(dn[k]) -> dn[k]?t,f,a,r,n,e; drops++ \
                :: (!alive[k] || !v_at[k]) && nempty(up[k]) -> up[k]?t,f,a,r,n,e \
                :: (!alive[k] || !s_at[k]) && nempty(dn[k]) -> dn[k]?t,f,a,r,n,e
#define TAKE(k) :: atomic { replays < REPLAYS && nempty(up[k]) -> up[k]?<t,f,a,r,n,e>; replays++; goto holds } \
                :: atomic { replays < REPLAYS && nempty(dn[k]) -> dn[k]?<t,f,a,r,n,e>; replays++; goto holds }
#define PUT(k)  :: v_at[k] && nfull(up[k]) -> up[k]!t,f,a,r,n,e \
                :: s_at[k] && nfull(dn[k]) -> dn[k]!t,f,a,r,n,e

active proctype Relay() {
  mtype t; bit f; byte a, r, n, e; bool held = false;
  d_step { alive[0] = true; s_at[0] = true; v_at[0] = true }
end: do
  :: atomic { cuts < CUTS && alive[latest] -> alive[latest] = false; cuts++ }
  :: atomic { cuts < CUTS && alive[0] && latest != 0 -> alive[0] = false; cuts++ }
  :: atomic { if DROP(0) DROP(1) DROP(2) DROP(3) DROP(4) fi; if :: held -> skip :: else -> forget() fi }
  :: atomic { !alive[latest] && conns < CONNS -> conns++; open(conns - 1) }
  :: atomic { alive[latest] && switches < SWITCHES && conns < CONNS -> switches++; conns++; open(conns - 1) }
  od }

/* Remembers one frame that it saw and sends it again, when and where it likes: repeated, late, reflected, on another
   connection; also on one of its own that the other end knows nothing of. */
active proctype Recorder() {
  mtype t; bit f; byte a, r, n, e;
end: do
  TAKE(0) TAKE(1) TAKE(2) TAKE(3) TAKE(4)
  od;
holds:
  if
  :: atomic { if PUT(0) PUT(1) PUT(2) PUT(3) PUT(4) fi; forget() }
  :: atomic { conns < CONNS && !alive[latest] -> alive[conns] = true; v_at[conns] = true; up[conns]!t,f,a,r,n,e; conns++; forget() }
  :: atomic { conns < CONNS && !alive[latest] -> alive[conns] = true; s_at[conns] = true; dn[conns]!t,f,a,r,n,e; conns++; forget() }
  fi;
  goto end }

/* When nothing else can happen: either all is done, or the ends' timers give the connection up and try the next. */
active proctype Timers() {
  byte fired = 0;
end: do
  :: atomic { timeout ->
     if
     :: delivered == N && una == N -> break
     :: else -> fired++; assert(fired <= drops);            /* only what vanished silently needs a timer */
        assert(conns < CONNS); assert(alive[latest]); alive[latest] = false
     fi }
  od;
  assert(delivered == N && una == N && hi == N) }
