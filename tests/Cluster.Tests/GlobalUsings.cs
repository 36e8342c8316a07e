global using Branching.Grains;
