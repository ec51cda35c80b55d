/* Retransmit buffers (spec/session.md, 8, SE-08, SE-52, SE-53): two ends that both send, and whose buffers are full. ACK travels in
   records, which are kept and counted like any other; so an acknowledgement needs room, and is itself acknowledged only by
   what asks for one. Nothing is lost here: this is about room alone.

   mutants: NO_RESERVE (all of the buffer is for data), NO_PING (records that ask for nothing are never made to ask)
   run: good -> pass
   run: NO_RESERVE -> fail
   run: NO_PING -> fail
*/
#define N 3             /* data records of end 0; end 1 has M */
#define M 3
#define DATA_ROOM 2
#ifdef NO_RESERVE
#define RESERVE 0
#else
#define RESERVE 2       /* room for records without stream frames */
#endif
#define CAP 5
/* asks for an ACK, carries rx_next (255: none), has data */
chan wire[2] = [CAP] of { bool, byte, bool };
byte left[2];           /* data that the application still wants to send */
byte got[2];            /* data that arrived */
byte hi[2], una[2], rcv[2];
byte told[2];           /* the rx_next that was told last */
byte since[2];          /* records sealed since the last that asked, all of them kept */
bool owes[2];

#define room(i) (hi[i] - una[i])

proctype End(bit i) {
  bool asks, data; byte ack;
end: do
  /* data; every record carries what there is to acknowledge */
  :: atomic { left[i] > 0 && room(i) < DATA_ROOM && nfull(wire[1 - i]) ->
       left[i]--; hi[i]++; since[i] = 0; wire[1 - i]!true,rcv[i],true; told[i] = rcv[i]; owes[i] = false }
  /* an ACK alone, after its delay or at once; from the reserve if need be. The last place always asks (SE-53). */
  :: atomic { owes[i] && room(i) < DATA_ROOM + RESERVE && nfull(wire[1 - i]) ->
#ifdef NO_PING
       asks = false;
#else
       asks = since[i] + 1 >= RESERVE;
#endif
       hi[i]++; since[i] = (asks -> 0 : since[i] + 1);
       wire[1 - i]!asks,rcv[i],false; told[i] = rcv[i]; owes[i] = false; asks = false }
  :: atomic { wire[i]?asks,ack,data ->
       assert(ack <= hi[i]); una[i] = (ack > una[i] -> ack : una[i]);
       rcv[i]++; got[i] = got[i] + data; owes[i] = owes[i] || asks; asks = false; data = false; ack = 0 }
  od }

init {
  atomic { left[0] = N; left[1] = M; run End(0); run End(1) };
end:
  timeout -> assert(left[0] == 0 && left[1] == 0 && got[0] == M && got[1] == N);
  assert(!owes[0] && !owes[1])
}
