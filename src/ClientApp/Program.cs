using Branching.ClientApp;

using CommandHost host = CommandHost.ForProcess();
return await CommandLine.RunAsync(args, host);
