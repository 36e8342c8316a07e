using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;

namespace Orleans.Hosting
{
    /// <summary>Puts a silo together.</summary>
    public interface ISiloBuilder
    {
        /// <summary>Gets the services of the silo's host.</summary>
        IServiceCollection Services { get; }

        /// <summary>Gets the configuration of the silo's host.</summary>
        IConfiguration Configuration { get; }
    }

    /// <summary>Puts a client together.</summary>
    public interface IClientBuilder
    {
        /// <summary>Gets the services of the client's host.</summary>
        IServiceCollection Services { get; }

        /// <summary>Gets the configuration of the client's host.</summary>
        IConfiguration Configuration { get; }
    }
}

namespace Branching.EmbeddedRuntime
{
    internal sealed class SiloBuilder(IServiceCollection services, IConfiguration configuration)
        : Orleans.Hosting.ISiloBuilder
    {
        public IServiceCollection Services => services;

        public IConfiguration Configuration => configuration;
    }

    internal sealed class ClientBuilder(IServiceCollection services, IConfiguration configuration)
        : Orleans.Hosting.IClientBuilder
    {
        public IServiceCollection Services => services;

        public IConfiguration Configuration => configuration;
    }
}
