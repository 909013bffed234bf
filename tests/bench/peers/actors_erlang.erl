%% Erlang's side of `./dev bench actors`, as actors.sh describes it. The number of schedulers is an
%% option of the machine. Whoever is sent to by many keeps its messages off the heap, which is the
%% faster way there; an idle process hibernates, which is the smallest.
-module(actors_erlang).
-behaviour(supervisor).
-export([main/0, init/1, handle_call/3, handle_cast/2, idler/1, worker/1]).

-define(SENDERS, 100).
-define(SINKS, 60).
-define(RING, 503).
-define(BIG, 120).
-define(BRANCHES, 10).
-define(LOOKS, 1000000).

main() ->
    [Figure, Loops, Count] = init:get_plain_arguments(),
    Value = figure(list_to_atom(Figure), list_to_integer(Count), list_to_integer(Loops)),
    io:format("~s\t~.6g~n", [Figure, Value * 1.0]),
    erlang:halt(0).

figure(pingpong, Count, _) -> pingpong(Count);
figure(counting, Count, _) -> fanin(1, Count, on_heap);
figure(ring, Count, _) -> ring(Count);
figure(fanin, Count, _) -> fanin(?SENDERS, Count, off_heap);
figure(create, Count, Loops) -> create(Count, Loops);
figure(forkjoin, Count, _) -> forkjoin(Count);
figure(big, Count, _) -> big(Count);
figure(skynet, Count, _) -> skynet(Count);
figure(ask, Count, _) -> ask(Count);
figure(restart, Count, _) -> restart(Count);
figure(observe, Count, _) -> observe(Count);
figure(observe_empty, Count, _) -> observe(Count);
figure(idle, Count, _) -> idle(Count);
figure(_, _, _) -> erlang:halt(77).

elapsed_us(Work) ->
    Start = erlang:monotonic_time(nanosecond),
    Work(),
    (erlang:monotonic_time(nanosecond) - Start) / 1.0e3.

%% Millions a second. The work is done by a process of its own: the first one's heap is large.
rate(Count, Work) ->
    Main = self(),
    spawn_link(fun() -> Main ! {us, elapsed_us(Work)} end),
    receive {us, Us} -> Count / Us end.

await(_, 0) -> ok;
await(What, N) -> receive What -> await(What, N - 1) end.

pingpong(Count) ->
    Pong = spawn_link(fun pong/0),
    rate(Count, fun() -> ping(Pong, Count) end).

pong() -> receive {ping, From} -> From ! pong, pong() end.

ping(_, 0) -> ok;
ping(Pong, N) ->
    Pong ! {ping, self()},
    receive pong -> ping(Pong, N - 1) end.

ring(Count) ->
    rate(Count, fun() ->
        Self = self(),
        Next = lists:foldl(fun(_, To) -> spawn_link(fun() -> hop(To, Self) end) end, Self,
                           lists:seq(2, ?RING)),
        Next ! Count div ?RING * ?RING - 1,
        hop(Next, Self),
        receive done -> ok end
    end).

hop(Next, Driver) ->
    receive
        0 -> Driver ! done;
        Left -> Next ! Left - 1, hop(Next, Driver)
    end.

sink(Main, 0) -> Main ! done;
sink(Main, Left) -> receive item -> sink(Main, Left - 1) end.

source(_, 0) -> ok;
source(To, Left) -> To ! item, source(To, Left - 1).

fanin(Senders, Count, Where) ->
    rate(Count, fun() ->
        Main = self(),
        To = spawn_opt(fun() -> sink(Main, Count div Senders * Senders) end,
                       [link, {message_queue_data, Where}]),
        [spawn_link(fun() -> source(To, Count div Senders) end) || _ <- lists:seq(1, Senders)],
        await(done, 1)
    end).

forkjoin(Count) ->
    rate(Count, fun() ->
        Main = self(),
        Each = Count div ?SINKS,
        Sinks = [spawn_link(fun() -> sink(Main, Each) end) || _ <- lists:seq(1, ?SINKS)],
        rounds(Sinks, Each),
        await(done, ?SINKS)
    end).

rounds(_, 0) -> ok;
rounds(Sinks, N) -> to_each(Sinks), rounds(Sinks, N - 1).

to_each([]) -> ok;
to_each([To | Rest]) -> To ! item, to_each(Rest).

create(Count, Loops) ->
    Each = Count div Loops,
    rate(Count, fun() ->
        Done = countdown(Each * Loops),
        Fly = fun() -> receive 'end' -> Done() end end,
        [spawn_link(fun() -> creator(Fly, Each) end) || _ <- lists:seq(1, Loops)],
        await(done, 1)
    end).

creator(_, 0) -> ok;
creator(Fly, N) -> spawn(Fly) ! 'end', creator(Fly, N - 1).

%% What each of many calls: the last call sends done. A mailbox full of messages from all of them
%% would be walked again and again.
countdown(N) ->
    Main = self(),
    Left = atomics:new(1, []),
    atomics:put(Left, 1, N),
    fun() ->
        case atomics:sub_get(Left, 1, 1) of
            0 -> Main ! done;
            _ -> ok
        end
    end.

big(Count) ->
    Each = Count div 2 div ?BIG,
    rate(Count, fun() ->
        Main = self(),
        All = list_to_tuple([spawn_link(fun() -> chatter(Main, I, Each) end)
                             || I <- lists:seq(0, ?BIG - 1)]),
        [To ! {meet, All} || To <- tuple_to_list(All)],
        await(done, ?BIG)
    end).

chatter(Main, Random, Each) -> receive {meet, All} -> chat(Main, All, Random, Each) end.

chat(Main, _, _, 0) -> Main ! done, answer();
chat(Main, All, Random0, Left) ->
    Random = (Random0 * 1103515245 + 12345) band 16#ffffffff,
    element((Random bsr 16) rem ?BIG + 1, All) ! {ping, self()},
    pinged(Main, All, Random, Left).

pinged(Main, All, Random, Left) ->
    receive
        {ping, From} -> From ! pong, pinged(Main, All, Random, Left);
        pong -> chat(Main, All, Random, Left - 1)
    end.

answer() -> receive {ping, From} -> From ! pong, answer() end.

skynet(Count) ->
    Sum = Count * (Count - 1) div 2,
    Main = self(),
    elapsed_us(fun() ->
        spawn(fun() -> tree(0, Count, Main) end),
        receive {sum, Sum} -> ok end
    end) / 1.0e3.

tree(First, 1, Up) -> Up ! {sum, First};
tree(First, Leaves, Up) ->
    Self = self(),
    Part = Leaves div ?BRANCHES,
    [spawn(fun() -> tree(First + I * Part, Part, Self) end) || I <- lists:seq(0, ?BRANCHES - 1)],
    Up ! {sum, sum(?BRANCHES, 0)}.

sum(0, Sum) -> Sum;
sum(N, Sum) -> receive {sum, S} -> sum(N - 1, Sum + S) end.

%% A gen_server's call.
ask(Count) ->
    {ok, Server} = gen_server:start_link(?MODULE, server, []),
    rate(Count, fun() -> Count = ask(Server, 0, Count) end).

ask(_, Count, Count) -> Count;
ask(Server, N, Count) -> ask(Server, gen_server:call(Server, {next, N}), Count).

handle_call({next, N}, _, State) -> {reply, N + 1, State}.
handle_cast(_, State) -> {noreply, State}.

%% One child ends and is started again, and says so, 1000 times; then a new supervisor: an old one
%% walks all restarts of the last period with each.
restart(Count) ->
    logger:set_primary_config(level, none),
    rate(Count, fun() ->
        register(restarts, self()),
        [supervised(1000) || _ <- lists:seq(1, Count div 1000)]
    end).

supervised(N) ->
    process_flag(trap_exit, true),
    {ok, Supervisor} = supervisor:start_link(?MODULE, supervisor),
    restarts(N),
    exit(Supervisor, shutdown),
    receive {'EXIT', Supervisor, _} -> ok end.

restarts(0) -> receive {up, _} -> ok end;
restarts(N) -> receive {up, Worker} -> Worker ! crash, restarts(N - 1) end.

init(server) -> {ok, none};
init(supervisor) ->
    {ok, {#{strategy => one_for_one, intensity => 1000000, period => 1},
          [#{id => worker, start => {proc_lib, start_link, [?MODULE, worker, [x]]}}]}}.

worker(_) ->
    proc_lib:init_ack({ok, self()}),
    restarts ! {up, self()},
    receive crash -> exit(crash) end.

%% ns a look.
observe(Count) ->
    Pid = spawn_opt(fun() -> receive after infinity -> ok end end, [{message_queue_data, off_heap}]),
    erlang:suspend_process(Pid),
    send_many(Pid, Count),
    elapsed_us(fun() -> looks(Pid, Count, ?LOOKS) end) * 1.0e3 / ?LOOKS.

send_many(_, 0) -> ok;
send_many(Pid, N) -> Pid ! m, send_many(Pid, N - 1).

looks(_, _, 0) -> ok;
looks(Pid, Count, N) ->
    {message_queue_len, Count} = process_info(Pid, message_queue_len),
    looks(Pid, Count, N - 1).

idle(Count) ->
    Before = rss(),
    Started = countdown(Count),
    idlers(fun() -> Started(), erlang:hibernate(?MODULE, idler, [x]) end, Count),
    await(done, 1),
    (rss() - Before) / Count.

idlers(_, 0) -> ok;
idlers(Idler, N) -> spawn(Idler), idlers(Idler, N - 1).

idler(_) -> receive stop -> ok end.

rss() ->
    {ok, Text} = file:read_file("/proc/self/statm"),
    [_, Pages | _] = binary:split(Text, <<" ">>, [global]),
    binary_to_integer(Pages) * 4096.
