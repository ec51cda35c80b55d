/* An epoch change while connections are cut (spec/session.md, 9 and 12): RATCHET and RATCHET_ACK are lost or late, records
   sealed in the old epoch are sent again after the switch, and RESUME is sealed under keys that the peer must still
   have. End 0 is the initiator. Both directions, ACKs as loose messages; adoption is one step (its handshake is resume.pml).

   mutants: EARLY_R (RATCHET_ACK sealed in the new epoch, SE-22), EARLY_I (the initiator seals in the new epoch before it has
   RATCHET_ACK, SE-23), CHAIN (the responder drops the old receive chain at RATCHET, SE-22), KEYS_R and KEYS_I (the end
   erases the old resume key as soon as it has the new one, SE-25)
   run: N=2 RATCHETS=1 CUTS=1 DROPS=0 LATE=1 -> pass
   run: N=1 RATCHETS=1 CUTS=1 DROPS=1 LATE=0 -> pass
   run: N=1 RATCHETS=1 CUTS=2 DROPS=0 LATE=1 -> pass
   run: N=2 RATCHETS=2 CUTS=1 DROPS=0 LATE=0 -> pass
   run: EARLY_R N=2 RATCHETS=1 CUTS=1 DROPS=0 LATE=0 -> fail
   run: EARLY_I N=2 RATCHETS=1 CUTS=1 DROPS=0 LATE=0 -> fail
   run: CHAIN N=2 RATCHETS=1 CUTS=1 DROPS=0 LATE=0 -> fail
   run: KEYS_R N=2 RATCHETS=1 CUTS=1 DROPS=0 LATE=0 -> fail
   run: KEYS_I N=2 RATCHETS=1 CUTS=1 DROPS=0 LATE=0 -> fail
*/
/* N data records of each end; RATCHETS at most; CUTS and DROPS by the relay; LATE frames that it gives back later */
#define MAXREC 7        /* records of an end in all */
#define CONNS (CUTS + DROPS + 4)
#define CAP 2

mtype = { REC, ACK, RES };
/* type, connection, seq or rx_next, epoch. RES: the epoch whose resume key sealed it. */
chan net[2] = [CAP] of { mtype, byte, byte, byte };
byte conn = 0;          /* the newest connection */
bool alive = true;
byte cuts = 0, drops = 0;

typedef Log { byte epoch[MAXREC]; byte kind[MAXREC] }    /* kind: 0 data, 1 RATCHET, 2 RATCHET_ACK */
Log log[2];
byte hi[2], una[2], tx[2], rcv[2], cur[2], data[2], got[2];
byte sep[2], rep[2];    /* send epoch, receive epoch */
byte old[2];            /* the oldest epoch whose resume keys are kept; the newest is MAX of the two above */
byte first[2];          /* seq of the first record sealed in the send epoch */
bool owes[2], told[2];  /* owes an ACK; sent its RES on the newest connection */
bool pending = false;   /* the responder has sealed RATCHET_ACK and has opened nothing of the new epoch */
bool out = false;       /* a RATCHET is outstanding */
bool heard = false;     /* the initiator has opened a record of its send epoch */
byte ratchets = 0;

#define MAX(a, b) ((a) > (b) -> (a) : (b))
inline seal(i, what) {
  log[i].epoch[hi[i]] = sep[i]; log[i].kind[hi[i]] = what;
  if :: sep[i] > 0 && (hi[i] == 0 || log[i].epoch[hi[i] - 1] != sep[i]) -> first[i] = hi[i] :: else -> skip fi;
  hi[i]++
}
inline acked(i, rx) {
  assert(rx <= hi[i]); una[i] = MAX(una[i], rx); tx[i] = MAX(tx[i], una[i]);
  if :: i == 0 && sep[0] > 0 && old[0] < sep[0] && hi[0] > first[0] && log[0].epoch[first[0]] == sep[0] && una[0] > first[0] -> old[0] = sep[0]
  :: else -> skip fi
}
/* Opens a record whose seq is the expected one, if its chain is there. */
inline commit(i, s, e) {
  assert(s == rcv[i]); rcv[i]++; owes[i] = true;
  if
  :: i == 1 && e > rep[1] -> rep[1] = e; pending = false; old[1] = e           /* the old chain and key go */
  :: else -> skip
  fi;
  if :: i == 0 && e == sep[0] -> heard = true :: else -> skip fi;
  if
  :: log[1 - i].kind[s] == 0 -> got[i]++
  :: log[1 - i].kind[s] == 1 ->                          /* RATCHET: answered at once */
#ifdef EARLY_R
    sep[1]++; seal(1, 2);
#else
    seal(1, 2); sep[1]++;
#endif
    pending = true;
#ifdef CHAIN
    rep[1]++;
#endif
#ifdef KEYS_R
    old[1] = sep[1];
#endif
  :: log[1 - i].kind[s] == 2 -> rep[0]++; out = false; heard = false;
#ifndef EARLY_I
    sep[0]++;
#endif
#ifdef KEYS_I
    old[0] = rep[0];
#endif
  fi
}
#define opens(i, e) (e == rep[i] || (i == 1 && pending && e == rep[1] + 1))

proctype End(bit i) {
  mtype t; byte k, s, e;
end: do
  :: atomic { alive && cur[i] == conn && data[i] < N && hi[i] < MAXREC -> data[i]++; seal(i, 0) }
  :: atomic { i == 0 && alive && cur[0] == conn && ratchets < RATCHETS && !out && heard && hi[0] < MAXREC ->
       ratchets++; out = true; seal(0, 1);
#ifdef EARLY_I
       sep[0]++;
#endif
     }
  :: atomic { alive && cur[i] == conn && tx[i] < hi[i] && nfull(net[1 - i]) ->
       net[1 - i]!REC,conn,tx[i],log[i].epoch[tx[i]]; tx[i]++ }
  :: atomic { owes[i] && alive && cur[i] == conn && nfull(net[1 - i]) -> net[1 - i]!ACK,conn,rcv[i],0; owes[i] = false }
  :: atomic { alive && !told[i] && nfull(net[1 - i]) -> told[i] = true; net[1 - i]!RES,conn,rcv[i],rep[i] }
  :: atomic { net[i]?t,k,s,e ->
       if
       :: t == ACK -> acked(i, s)
       :: t == RES -> if
         :: k == conn && cur[i] != conn && e >= old[i] && e <= MAX(sep[i], rep[i]) -> cur[i] = conn; acked(i, s); tx[i] = una[i]; owes[i] = true
         :: else -> skip                                 /* no key verifies it, or it is not of this connection */
         fi
       :: t == REC && s == rcv[i] && opens(i, e) -> commit(i, s, e)
       :: t == REC && s == rcv[i] && !opens(i, e) -> skip                      /* rejected */
       :: t == REC && s < rcv[i] -> skip                 /* duplicate */
       :: t == REC && s > rcv[i] -> if :: k == conn && cur[i] == conn -> alive = false :: else -> skip fi
       fi; t = 0; k = 0; s = 0; e = 0 }
  od }

/* Loses the oldest frame of direction i, or keeps it for later. */
inline lose(i) {
  net[i]?t,k,s,e;
  if
  :: late < LATE -> late++; held = true; hi_ = i; ht = t; hk = k; hs = s; he = e
  :: skip
  fi;
  t = 0; k = 0; s = 0; e = 0
}
active proctype Relay() {
  mtype t, ht; byte k, s, e, hk, hs, he; bit hi_; bool held = false; byte late = 0;
end: do
  :: atomic { alive && cuts < CUTS -> alive = false; cuts++ }
  :: atomic { !alive && conn + 1 < CONNS -> conn++; alive = true; told[0] = false; told[1] = false }
  :: atomic { nempty(net[0]) && (!alive || drops < DROPS) -> drops = drops + alive; lose(0) }
  :: atomic { nempty(net[1]) && (!alive || drops < DROPS) -> drops = drops + alive; lose(1) }
  :: atomic { held && nfull(net[hi_]) -> net[hi_]!ht,hk,hs,he; held = false; ht = 0; hk = 0; hs = 0; he = 0; hi_ = 0 }
  od }

#define DONE (data[0] == N && data[1] == N && got[0] == N && got[1] == N && una[0] == hi[0] && una[1] == hi[1] && !out)
active proctype Timers() {
end: do
  :: atomic { timeout -> if :: DONE -> break :: else -> assert(conn + 1 < CONNS); assert(alive); alive = false fi }
  od;
  assert(DONE && rep[0] == ratchets && sep[0] == ratchets && sep[1] == ratchets)
}
init { atomic { told[0] = true; told[1] = true; run End(0); run End(1) } }
