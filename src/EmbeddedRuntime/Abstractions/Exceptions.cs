namespace Orleans.Runtime
{
    /// <summary>A failure of the runtime rather than of a grain.</summary>
    public class OrleansException : Exception
    {
        /// <summary>Makes one without words.</summary>
        public OrleansException()
            : base("Unexpected error in the grain runtime.")
        {
        }

        /// <summary>Makes one.</summary>
        public OrleansException(string message)
            : base(message)
        {
        }

        /// <summary>Makes one.</summary>
        public OrleansException(string message, Exception innerException)
            : base(message, innerException)
        {
        }
    }

    /// <summary>A request was refused before a grain saw it.</summary>
    public class OrleansMessageRejectionException : OrleansException
    {
        internal OrleansMessageRejectionException(string message)
            : base(message)
        {
        }

        internal OrleansMessageRejectionException(string message, Exception innerException)
            : base(message, innerException)
        {
        }
    }

    /// <summary>The silo is gone; whether it carried out the request is unknown.</summary>
    public sealed class SiloUnavailableException : OrleansMessageRejectionException
    {
        /// <summary>Makes one without words.</summary>
        public SiloUnavailableException()
            : base("The silo is not available.")
        {
        }

        /// <summary>Makes one.</summary>
        public SiloUnavailableException(string msg)
            : base(msg)
        {
        }

        /// <summary>Makes one.</summary>
        public SiloUnavailableException(string message, Exception innerException)
            : base(message, innerException)
        {
        }
    }

    /// <summary>The client that a request came from or goes to is gone.</summary>
    public sealed class ClientNotAvailableException : OrleansException
    {
        internal ClientNotAvailableException(string message)
            : base(message)
        {
        }
    }

    /// <summary>The host was put together wrongly.</summary>
    public sealed class OrleansConfigurationException : Exception
    {
        /// <summary>Makes one.</summary>
        public OrleansConfigurationException(string message)
            : base(message)
        {
        }

        /// <summary>Makes one.</summary>
        public OrleansConfigurationException(string message, Exception innerException)
            : base(message, innerException)
        {
        }
    }

    /// <summary>A stage of the silo's start failed or was cancelled.</summary>
    public sealed class OrleansLifecycleCanceledException : OrleansException
    {
        internal OrleansLifecycleCanceledException(string message, Exception innerException)
            : base(message, innerException)
        {
        }
    }

    /// <summary>A stream of results ended early because the activation that produced it ended.</summary>
    public sealed class EnumerationAbortedException : Exception
    {
        /// <summary>Makes one without words.</summary>
        public EnumerationAbortedException()
            : base("The enumeration was aborted.")
        {
        }

        /// <summary>Makes one.</summary>
        public EnumerationAbortedException(string message)
            : base(message)
        {
        }

        /// <summary>Makes one.</summary>
        public EnumerationAbortedException(string message, Exception innerException)
            : base(message, innerException)
        {
        }
    }
}

namespace Orleans.Serialization
{
    /// <summary>A value could not be carried in a grain call.</summary>
    public class SerializerException : Exception
    {
        /// <summary>Makes one without words.</summary>
        public SerializerException()
        {
        }

        /// <summary>Makes one.</summary>
        public SerializerException(string message)
            : base(message)
        {
        }

        /// <summary>Makes one.</summary>
        public SerializerException(string message, Exception innerException)
            : base(message, innerException)
        {
        }
    }

    /// <summary>A type in a grain call says nowhere how it travels.</summary>
    public sealed class CodecNotFoundException : SerializerException
    {
        /// <summary>Makes one.</summary>
        public CodecNotFoundException(string message)
            : base(message)
        {
        }
    }
}
